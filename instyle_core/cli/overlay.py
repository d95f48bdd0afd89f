"""A photo with objects marked on it: tinted, outlined and labeled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from instyle_core.images.samples import quantize, to_tensor
from instyle_core.interfaces.pictures import Box
from instyle_core.interfaces.segmenter import Prompt

#: Told apart by people with and without full color vision (S. Trubetskoy's list of distinct
#: colors, without those near gray).
COLORS = (
    (230, 25, 75),
    (60, 180, 75),
    (255, 225, 25),
    (67, 99, 216),
    (245, 130, 49),
    (145, 30, 180),
    (70, 240, 240),
    (240, 50, 230),
    (188, 246, 12),
    (0, 128, 128),
    (170, 110, 40),
    (128, 0, 0),
    (170, 255, 195),
    (128, 128, 0),
    (255, 190, 220),
    (0, 0, 117),
)

#: How much of the color is seen within an object, and within one that was not chosen.
TINT, FAINT = 0.5, 0.12

#: How much of its colors the photo keeps, so that those of the objects stand out.
KEPT = 0.4

#: Of the longer side: the height of the letters and the width of outlines. In pixels: the least.
LETTERS, LINES = 0.025, 0.0025

SMALLEST_LETTERS, LARGEST_LETTERS = 13, 160

Canvas = NDArray[np.uint8]

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Marked:
    """An object to mark.

    Attributes:
        mask: (1, H, W), 0 or 1, with at least one pixel.
        label: what it is called.
        chosen: whether it is to stand out.
    """

    mask: Tensor
    label: str
    chosen: bool = True


def overlay(image: Tensor, objects: Iterable[Marked], prompt: Prompt) -> Tensor:
    """The photo in muted colors with its objects, and what was pointed at.

    Args:
        image: (3, H, W) in [0, 1].
        objects: are gone through once, so that not all of their masks need to be there at a time.
            Later ones are drawn over earlier ones.
        prompt: its point and box are drawn.

    Returns:
        (3, H, W) in [0, 1].
    """
    gray = image.mean(dim=0, keepdim=True) * (1 - KEPT) + image * KEPT
    canvas = np.ascontiguousarray(quantize(gray.cpu(), np.uint8))
    longest = max(canvas.shape[:2])
    line = max(1, round(LINES * longest))
    labels = []
    for number, marked in enumerate(objects):
        color = COLORS[number % len(COLORS)]
        box = _paint(canvas, marked, color, line)
        labels.append((marked.label, box, color))
    picture = Image.fromarray(canvas)
    _point_at(picture, prompt, line)
    _write(picture, labels)
    return to_tensor(np.asarray(picture))


def _paint(canvas: Canvas, marked: Marked, color: Color, line: int) -> Box:
    """Tint and outline an object; returns its box."""
    whole = (marked.mask[0] > 0).cpu().numpy().astype(np.uint8)
    x, y, width, height = cv2.boundingRect(whole)
    # As much around it as the dark line outside of the outline takes.
    left, top = max(0, x - line), max(0, y - line)
    part = np.s_[top : y + height + line, left : x + width + line]
    mask, seen = whole[part], canvas[part]
    shade = np.asarray(color, np.float32)
    strength = TINT if marked.chosen else FAINT
    inside = mask > 0
    seen[inside] = np.rint(seen[inside] * (1 - strength) + shade * strength).astype(np.uint8)
    reach = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    seen[(cv2.dilate(mask, reach) > 0) & ~inside] //= 3
    # Where the picture ends, so does the outline.
    seen[inside & (cv2.erode(mask, reach) == 0)] = color
    return x, y, x + width, y + height


def _point_at(picture: Image.Image, prompt: Prompt, line: int) -> None:
    """Draw the box and a ring around the point, in white on black."""
    draw = ImageDraw.Draw(picture)
    for color, width in (("black", 3 * line), ("white", line)):
        spread = (width - line) // 2
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            corners = (x0 - spread, y0 - spread, x1 - 1 + spread, y1 - 1 + spread)
            draw.rectangle(corners, outline=color, width=width)
        if prompt.point is not None:
            x, y = prompt.point
            radius = 4 * line + spread
            ring = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(ring, outline=color, width=width)


def _write(picture: Image.Image, labels: Sequence[tuple[str, Box, Color]]) -> None:
    """Write each label near its object and, where there is room, beside the others."""
    draw = ImageDraw.Draw(picture)
    taken: list[Box] = []
    for text, box, color in labels:
        font = _font(draw, text, picture.size)
        left, _, right, _ = draw.textbbox((0, 0), text, font=font)
        _, top, _, bottom = draw.textbbox((0, 0), "Ag", font=font)  # all labels as high
        margin = max(1, round((bottom - top) / 5))
        size = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
        x, y = place(size, box, taken, picture.size)
        taken.append((x, y, x + size[0], y + size[1]))
        draw.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill=color)
        ink = "black" if _brightness(color) > 0.18 else "white"
        draw.text((x + margin - left, y + margin - top), text, fill=ink, font=font)


def _font(
    draw: ImageDraw.ImageDraw, text: str, picture: tuple[int, int]
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font in proportion to the picture, or as small as it takes for the text to fit in."""
    height = min(LARGEST_LETTERS, max(SMALLEST_LETTERS, round(LETTERS * max(picture))))
    font = ImageFont.load_default(height)
    while height > 6 and draw.textlength(text, font=font) > 0.95 * picture[0]:
        height -= max(1, height // 10)
        font = ImageFont.load_default(height)
    return font


def place(
    size: tuple[int, int], box: Box, taken: Sequence[Box], picture: tuple[int, int]
) -> tuple[int, int]:
    """Where a label's upper left corner goes: within the picture, and clear of others if possible.

    Args:
        size: the label's width and height.
        box: the object's.
        taken: where there are labels already.
        picture: its width and height.
    """
    first = None
    for wish in _wishes(size, box, picture):
        x = max(0, min(wish[0], picture[0] - size[0]))
        y = max(0, min(wish[1], picture[1] - size[1]))
        first = first or (x, y)
        if not any(
            x < x1 and x0 < x + size[0] and y < y1 and y0 < y + size[1] for x0, y0, x1, y1 in taken
        ):
            return x, y
    assert first
    return first


def _wishes(size: tuple[int, int], box: Box, picture: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Places for a label, the best first: on the object's box, in it, and then ever lower."""
    width, height = size
    x0, y0, x1, y1 = box
    if y0 >= height:
        yield x0, y0 - height
    yield x0, y0
    yield x1 - width, y0
    if y1 + height <= picture[1]:
        yield x0, y1
    yield x0, y1 - height
    for y in range(y0, picture[1] - height, height):
        yield x0, y
    for y in range(0, picture[1] - height, height):
        for x in range(0, picture[0] - width, width):
            yield x, y


def _brightness(color: Color) -> float:
    """The relative luminance in [0, 1]; black on 0.18 has the contrast that white on it has."""
    linear = [(c / 255) ** 2.2 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
