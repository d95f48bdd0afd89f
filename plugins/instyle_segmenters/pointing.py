"""What a user points at, for the segmenters that cut one object out: ``background`` and ``object``.

These segmenters look at the box and what is around it, at a size that takes seconds. They share how
an object's colors are told from those around it, and how its edge is softened.
"""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core import InputError, Prompt, Segmentation

Pixels = NDArray[np.uint8]
Binary = NDArray[np.bool_]
Plane = NDArray[np.float32]
Box = tuple[int, int, int, int]
Point = tuple[int, int]

#: How much background around a box is looked at, as a fraction of the box's longer side.
CONTEXT = 0.25
#: The radius of the disc around a further point, or one that is not on the object, as a fraction of
#: the shorter side of the box or picture; that of the first is up to the segmenter.
SPOT = 0.03
#: The largest hole that is filled, as a fraction of the object's area.
HOLE = 0.01
#: Of `contrast`: the variance that is added to each color channel, in squared units of CIE Lab,
#: so that examples of a single color have some; and the largest contrast, so that no pixel decides
#: by itself.
LEAST_VARIANCE, MOST_CONTRAST = 3.0, 3.0


def to_pixels(image: Tensor) -> Pixels:
    """A picture (3, H, W) in [0, 1] as OpenCV has it, but RGB."""
    pixels: Pixels = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels


def check(prompt: Prompt, height: int, width: int, *, who: str) -> None:
    """Check that a prompt marks something in the picture.

    Raises:
        InputError: there is neither box nor point, the box is empty or not in the picture, or a
            point is not in the box.
    """
    if prompt.box is None and not prompt.points:
        raise InputError(
            f"{who} needs to be told where the object is",
            hint="mark it with `select: {box: [x0, y0, x1, y1]}`, or with a point",
        )
    x0, y0, x1, y1 = prompt.box or (0, 0, width, height)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(f"the box {[x0, y0, x1, y1]} is empty or reaches outside of the picture")
    for x, y in prompt.points:
        if not (x0 <= x < x1 and y0 <= y < y1):
            where = "box" if prompt.box else "picture"
            raise InputError(f"the point {[x, y]} is outside of the {where}")


def window(box: Box | None, height: int, width: int) -> Box:
    """The part of the picture to work on: the box with what is around it, else everything."""
    if box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = box
    extra = math.ceil(CONTEXT * max(x1 - x0, y1 - y0))
    return max(0, x0 - extra), max(0, y0 - extra), min(width, x1 + extra), min(height, y1 + extra)


@dataclass(frozen=True)
class Scene:
    """The window of a photo, and what was pointed at in it.

    Attributes:
        pixels: (h, w, 3) RGB.
        box: around the object; all of the window where only points were given.
        points: pixels of the object; the middle of the box where only that was given.
        boxed: whether there is a box.
        pointed: whether there is a point.
        not_points: pixels that are not the object's.
    """

    pixels: Pixels
    box: Box
    points: tuple[Point, ...]
    boxed: bool
    pointed: bool
    not_points: tuple[Point, ...] = ()

    @classmethod
    def of(cls, pixels: Pixels, prompt: Prompt) -> tuple[Scene, Box]:
        """The scene of a checked prompt, and where in the photo it is."""
        height, width = pixels.shape[:2]
        place = window(prompt.box, height, width)
        left, top, right, bottom = place
        x0, y0, x1, y1 = prompt.box or place
        points = prompt.points or (((x0 + x1) // 2, (y0 + y1) // 2),)
        scene = cls(
            pixels[top:bottom, left:right],
            (x0 - left, y0 - top, x1 - left, y1 - top),
            tuple((x - left, y - top) for x, y in points),
            prompt.box is not None,
            bool(prompt.points),
            tuple(
                (x - left, y - top)
                for x, y in prompt.not_points
                if left <= x < right and top <= y < bottom
            ),
        )
        return scene, place

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def inside(self) -> Binary:
        """The box, as a mask."""
        x0, y0, x1, y1 = self.box
        mask = np.zeros(self.size, dtype=bool)
        mask[y0:y1, x0:x1] = True
        return mask

    def at_most(self, pixels: int) -> Scene:
        """The scene at a size of so many pixels at most, by `shrunk_size`."""
        height, width = self.size
        h, w = shrunk_size(self.size, pixels)
        if (h, w) == (height, width):
            return self
        x0, y0, x1, y1 = self.box
        left = min(w - 1, round(x0 * w / width))
        top = min(h - 1, round(y0 * h / height))
        right, bottom = round(x1 * w / width), round(y1 * h / height)
        box = left, top, max(left + 1, right), max(top + 1, bottom)
        points = [(x * w // width, y * h // height) for x, y in self.points]
        inside = tuple(
            (min(max(x, left), box[2] - 1), min(max(y, top), box[3] - 1)) for x, y in points
        )
        others = tuple((x * w // width, y * h // height) for x, y in self.not_points)
        small = np.asarray(cv2.resize(self.pixels, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
        return Scene(small, box, inside, self.boxed, self.pointed, others)

    def ellipse(self, share: float) -> Binary:
        """The ellipse in the middle of the box, with this share of its sides; at least a pixel."""
        x0, y0, x1, y1 = self.box
        axes = round(share / 2 * (x1 - x0)), round(share / 2 * (y1 - y0))
        mask = np.zeros(self.size, np.uint8)
        cv2.ellipse(mask, ((x0 + x1) // 2, (y0 + y1) // 2), axes, 0, 0, 360, 1, -1)
        return (mask > 0) & self.inside

    def disc(self, radius: float) -> Binary:
        """The disc around the first point, its radius as a fraction of the box's shorter side, and
        those around further points, of `SPOT` at most; at least a pixel each."""
        first, *others = self.points
        return self.spot(first, radius) | self._spots(others, min(radius, SPOT))

    def spot(self, point: Point, radius: float) -> Binary:
        """The disc around one point, at least a pixel; it leaves room for the disc around a point
        on the other side, on the object or not."""
        x0, y0, x1, y1 = self.box
        others = self.not_points if point in self.points else self.points
        most = round(radius * min(x1 - x0, y1 - y0))
        mask = np.zeros(self.size, np.uint8)
        cv2.circle(mask, point, room(point, others, most), 1, -1)
        return (mask > 0) & self.inside

    def beyond(self, radius: float) -> Binary:
        """What is farther from all points than a fraction of the box's shorter side, and what is
        around points that are not on the object."""
        x0, y0, x1, y1 = self.box
        mask = np.ones(self.size, np.uint8)
        for point in self.points:
            cv2.circle(mask, point, round(radius * min(x1 - x0, y1 - y0)), 0, -1)
        return (mask > 0) | ~self.inside | self.off

    @property
    def off(self) -> Binary:
        """The discs around points that are not on the object, as a mask."""
        return self._spots(self.not_points, SPOT)

    def _spots(self, points: Sequence[Point], radius: float) -> Binary:
        spots = [self.spot(point, radius) for point in points]
        return np.asarray(np.any([np.zeros(self.size, bool), *spots], axis=0))


def room(point: Point, others: Sequence[Point], most: int) -> int:
    """The radius of a disc around a point, in pixels: at most half of the way to any other."""
    ways = [math.dist(point, other) for other in others]
    return max(0, min([most, *(int((way - 1) / 2) for way in ways)]))


def shrunk_size(size: tuple[int, int], most: int) -> tuple[int, int]:
    """The size (height, width) of about the same proportions with so many pixels at most."""
    height, width = size
    factor = math.sqrt(most / (height * width))
    if factor >= 1:
        return height, width
    least = min(2, height), min(2, width)  # two, so that there are differences
    return max(least[0], round(height * factor)), max(least[1], round(width * factor))


def to_lab(pixels: Pixels) -> Plane:
    """CIE Lab, (h, w, 3): lightness in [0, 100], and two axes of color on the same scale.

    A median filter removes noise first; it leaves edges where they are.
    """
    quiet = cv2.medianBlur(np.ascontiguousarray(pixels), 3)
    lab = cv2.cvtColor(quiet.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(lab, np.float32)


def contrast(lab: Plane, inside: Binary, outside: Binary) -> Plane:
    """How much more a pixel's color is like one example than like the other, (h, w).

    The logarithm of how many times likelier the color is under a Gaussian fitted to `inside` than
    under one fitted to `outside`, clipped.

    Args:
        lab: (h, w, 3).
        inside: example pixels of the object, at least one.
        outside: example pixels of the background, at least one.
    """

    def likelihood(example: NDArray[np.float64]) -> NDArray[np.float64]:
        away = colors - example.mean(axis=0)
        spread = np.cov(example.T, bias=True) + LEAST_VARIANCE * np.eye(3)
        distance = np.einsum("...i,ij,...j->...", away, np.linalg.inv(spread), away)
        return -0.5 * (distance + np.linalg.slogdet(spread).logabsdet)

    colors = lab.astype(np.float64)
    ratio = likelihood(colors[inside]) - likelihood(colors[outside])
    return ratio.clip(-MOST_CONTRAST, MOST_CONTRAST).astype(np.float32)


def fill_holes(found: Binary, off: Binary | None = None) -> Binary:
    """The mask with its small holes filled, but for those with a pixel that is off the object."""
    # The padding joins all background that reaches the border: that is no hole.
    rest = np.pad(~found, 1, constant_values=True).astype(np.uint8)
    _, holes, statistics, _ = cv2.connectedComponentsWithStats(rest, connectivity=4)
    small = statistics[:, cv2.CC_STAT_AREA] <= HOLE * found.sum()
    small[holes[0, 0]] = False
    if off is not None:
        small[holes[1:-1, 1:-1][off]] = False
    return found | (small[holes[1:-1, 1:-1]] & ~found)


def largest(found: Binary) -> Binary:
    """The largest connected region (8 neighbors) of a mask; nothing of an empty one."""
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    areas = statistics[1:, cv2.CC_STAT_AREA]
    return regions == 1 + int(areas.argmax()) if len(areas) else found


def enlarge(mask: Plane, size: tuple[int, int]) -> Plane:
    """A mask at the size (height, width), which is not smaller."""
    if mask.shape == size:
        return mask
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def soften(decision: Binary) -> Plane:
    """A soft edge, about 2 pixels wide, that leaves every pixel on its side of one half."""
    soft = cv2.GaussianBlur(decision.astype(np.float32), (0, 0), 1.0)
    return np.where(decision, np.maximum(soft, 0.51), np.minimum(soft, 0.49)).clip(0, 1)


def without(probability: Plane, points: Sequence[Point]) -> Plane:
    """A mask that does not have some pixels, (x, y); it is changed."""
    for x, y in points:
        probability[y, x] = min(probability[y, x], np.float32(0.49))
    return probability


def one_object(probability: Plane, place: Box, image: Tensor) -> Segmentation:
    """The segmentation of a photo in which the object lies in one window."""
    left, top, right, bottom = place
    mask = torch.zeros_like(image[:1])
    mask[0, top:bottom, left:right] = torch.from_numpy(probability)
    return Segmentation(("background", "object"), torch.cat([1 - mask, mask]))
