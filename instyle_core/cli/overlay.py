"""A photo with objects marked on it: tinted, outlined and labeled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from instyle_core.images.resize import resize
from instyle_core.images.samples import quantize, to_tensor
from instyle_core.interfaces.pictures import Box, Point
from instyle_core.interfaces.segmenter import Prompt

#: Distinct with and without full color vision (S. Trubetskoy's list of 20 simple, distinct colors,
#: without those near gray).
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

#: The longest side of an overlay, in pixels; of a large photo, writing it would take longer than
#: finding its objects.
LONGEST = 1600

#: Opacity of the color over an object, and over one that was not chosen.
TINT, FAINT = 0.5, 0.12

#: The share of its saturation that the photo keeps, so that the colors of the objects stand out.
SATURATION = 0.4

#: The font size and the width of outlines, as shares of the picture's longer side.
LETTERS, LINES = 0.025, 0.0025

#: Limits of the font size, in pixels.
SMALLEST_LETTERS, LARGEST_LETTERS = 13, 160

Canvas = NDArray[np.uint8]

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Marked:
    """An object to mark.

    Attributes:
        mask: (1, H, W), 0 or 1, with at least one pixel.
        label: what it is called.
        chosen: whether it stands out.
    """

    mask: Tensor
    label: str
    chosen: bool = True


def overlay(image: Tensor, objects: Iterable[Marked], prompt: Prompt) -> Tensor:
    """The photo in muted colors, with its objects and the prompt drawn on it.

    Args:
        image: (3, H, W) in [0, 1].
        objects: iterated over once, so that their masks need not all be in memory. Later ones are
            drawn over earlier ones.
        prompt: its points and box are drawn.

    Returns:
        (3, H, W) in [0, 1], or smaller, with sides of `LONGEST` pixels at most.
    """
    height, width = image.shape[1:]
    factor = min(1.0, LONGEST / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    image, prompt = resize(image, size), _scaled(prompt, factor)
    gray = image.mean(dim=0, keepdim=True) * (1 - SATURATION) + image * SATURATION
    canvas = np.ascontiguousarray(quantize(gray.cpu(), np.uint8))
    longest = max(canvas.shape[:2])
    line = max(1, round(LINES * longest))
    labels = []
    for number, marked in enumerate(objects):
        color = COLORS[number % len(COLORS)]
        # A pixel of an object is still one in a smaller overlay.
        mask = marked.mask if factor == 1 else adaptive_max_pool2d(marked.mask, size)
        box = _draw_object(canvas, replace(marked, mask=mask), color, line)
        labels.append((marked.label, box, color))
    picture = Image.fromarray(canvas)
    _draw_prompt(picture, prompt, line)
    _draw_labels(picture, labels)
    return to_tensor(np.asarray(picture))


def _scaled(prompt: Prompt, factor: float) -> Prompt:
    """A prompt for a picture whose sides are multiplied by a factor."""

    def moved(point: Point) -> Point:
        return round(point[0] * factor), round(point[1] * factor)

    box = None
    if prompt.box:
        (x0, y0), (x1, y1) = moved(prompt.box[:2]), moved(prompt.box[2:])
        box = x0, y0, max(x0 + 1, x1), max(y0 + 1, y1)
    points, others = (tuple(map(moved, some)) for some in (prompt.points, prompt.not_points))
    return Prompt(box=box, points=points, not_points=others)


def _draw_object(canvas: Canvas, marked: Marked, color: Color, line: int) -> Box:
    """Tint and outline an object; returns its box."""
    whole = (marked.mask[0] > 0).cpu().numpy().astype(np.uint8)
    x, y, width, height = cv2.boundingRect(whole)
    # With room for the dark line around the outline.
    left, top = max(0, x - line), max(0, y - line)
    part = np.s_[top : y + height + line, left : x + width + line]
    mask, seen = whole[part], canvas[part]
    shade = np.asarray(color, np.float32)
    strength = TINT if marked.chosen else FAINT
    inside = mask > 0
    seen[inside] = np.rint(seen[inside] * (1 - strength) + shade * strength).astype(np.uint8)
    reach = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    seen[(cv2.dilate(mask, reach) > 0) & ~inside] //= 3
    # There is no outline along the border of the picture.
    seen[inside & (cv2.erode(mask, reach) == 0)] = color
    return x, y, x + width, y + height


def _draw_prompt(picture: Image.Image, prompt: Prompt, line: int) -> None:
    """Draw the box, a ring around each point of the object and a cross on others, in white on
    black."""
    draw = ImageDraw.Draw(picture)
    for color, width in (("black", 3 * line), ("white", line)):
        spread = (width - line) // 2
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            corners = (x0 - spread, y0 - spread, x1 - 1 + spread, y1 - 1 + spread)
            draw.rectangle(corners, outline=color, width=width)
        radius = 4 * line + spread
        for x, y in prompt.points:
            ring = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(ring, outline=color, width=width)
        for x, y in prompt.not_points:
            for side in (-radius, radius):
                draw.line((x - radius, y - side, x + radius, y + side), fill=color, width=width)


def _draw_labels(picture: Image.Image, labels: Sequence[tuple[str, Box, Color]]) -> None:
    """Draw each label near its object and, if there is room, clear of the other labels."""
    draw = ImageDraw.Draw(picture)
    taken: list[Box] = []
    for text, box, color in labels:
        font = _font(draw, text, picture.size)
        left, _, right, _ = draw.textbbox((0, 0), text, font=font)
        _, top, _, bottom = draw.textbbox((0, 0), "Ag", font=font)  # the same height for all labels
        margin = max(1, round((bottom - top) / 5))
        size = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
        x, y = place(size, box, taken, picture.size)
        taken.append((x, y, x + size[0], y + size[1]))
        draw.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill=color)
        ink = "black" if _luminance(color) > 0.18 else "white"
        draw.text((x + margin - left, y + margin - top), text, fill=ink, font=font)


def _font(
    draw: ImageDraw.ImageDraw, text: str, picture: tuple[int, int]
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font in proportion to the picture, or smaller if the text would not fit into it."""
    height = min(LARGEST_LETTERS, max(SMALLEST_LETTERS, round(LETTERS * max(picture))))
    font = ImageFont.load_default(height)
    while height > 6 and draw.textlength(text, font=font) > 0.95 * picture[0]:
        height -= max(1, height // 10)
        font = ImageFont.load_default(height)
    return font


def place(
    size: tuple[int, int], box: Box, taken: Sequence[Box], picture: tuple[int, int]
) -> tuple[int, int]:
    """The upper left corner of a label: within the picture, and clear of others if possible.

    Args:
        size: the label's width and height.
        box: the object's.
        taken: the boxes of the labels so far.
        picture: its width and height.
    """
    first = None
    for left, top in _positions(size, box, picture):
        x = max(0, min(left, picture[0] - size[0]))
        y = max(0, min(top, picture[1] - size[1]))
        first = first or (x, y)
        if not any(
            x < x1 and x0 < x + size[0] and y < y1 and y0 < y + size[1] for x0, y0, x1, y1 in taken
        ):
            return x, y
    assert first
    return first


def _positions(
    size: tuple[int, int], box: Box, picture: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Positions for a label, best first: above the object's box, in it, below it, then anywhere."""
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


def _luminance(color: Color) -> float:
    """The relative luminance in [0, 1]; on 0.18, black and white letters have the same contrast."""
    linear = [(c / 255) ** 2.2 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
