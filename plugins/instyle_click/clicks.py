"""Clicks: as maps for the network, and the next one that a user would set."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instyle_core import Box, Point

Binary = NDArray[np.bool_]

#: Radius of the disc by which a point is drawn, in pixels that the network sees.
RADIUS = 5


@dataclass(frozen=True)
class Clicks:
    """What the user pointed at so far.

    Attributes:
        on: pixels of the object, (x, y).
        off: pixels that are not the object's.
        box: around the object, or None.
    """

    on: tuple[Point, ...] = ()
    off: tuple[Point, ...] = ()
    box: Box | None = None

    def and_then(self, point: Point, *, on: bool) -> Clicks:
        """With one more point."""
        if on:
            return Clicks((*self.on, point), self.off, self.box)
        return Clicks(self.on, (*self.off, point), self.box)

    def scaled(self, origin: Point, factors: tuple[float, float]) -> Clicks:
        """The same in a crop that begins at `origin` and was scaled by `factors`, for x and y.

        A point goes to the pixel that holds its pixel's middle. The box grows to whole pixels.
        """

        def moved(x: float, y: float) -> tuple[float, float]:
            return (x - origin[0]) * factors[0], (y - origin[1]) * factors[1]

        def pixel(point: Point) -> Point:
            x, y = moved(point[0] + 0.5, point[1] + 0.5)
            return math.floor(x), math.floor(y)

        box = None
        if self.box is not None:
            (x0, y0), (x1, y1) = moved(*self.box[:2]), moved(*self.box[2:])
            box = math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)
        return Clicks(tuple(map(pixel, self.on)), tuple(map(pixel, self.off)), box)


def drawn(clicks: Clicks, size: tuple[int, int]) -> NDArray[np.float32]:
    """The maps of points and box, float32 (3, H, W): discs of `RADIUS`, and the filled box.

    Args:
        clicks: in pixels of the map; what lies beyond its border is cut off.
        size: (H, W).
    """
    maps = np.zeros((3, *size), np.float32)
    for plane, points in zip(maps, (clicks.on, clicks.off), strict=False):
        for point in points:
            cv2.circle(plane, point, RADIUS, 1.0, -1)
    if clicks.box is not None:
        x0, y0, x1, y1 = clicks.box
        maps[2, max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 1
    return maps


def next_click(truth: Binary, found: Binary, counts: Binary) -> tuple[Point, bool] | None:
    """The click in the middle of the largest error, and whether it is on the object.

    The errors are the connected regions (8 neighbors) of missed pixels, and of pixels that were
    found wrongly; the middle is the pixel that is farthest from the error's edge and the picture's
    border.

    Args:
        truth: the object, (H, W).
        found: what was found.
        counts: the pixels that have a label; others are no errors.

    Returns:
        None where there is no error. Of two errors of one size, the missed one.

    Source: Xu et al. 2016, Deep Interactive Object Selection; Sofiiuk et al. 2021.
    """
    errors = []
    for on, wrong in ((True, truth & ~found & counts), (False, found & ~truth & counts)):
        _, regions, statistics, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8))
        if len(statistics) > 1:
            label = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
            errors.append((int(statistics[label, cv2.CC_STAT_AREA]), on, regions == label))
    if not errors:
        return None
    _, on, region = max(errors, key=lambda error: error[0])
    return middle(region), on


def middle(region: Binary) -> Point:
    """The pixel of a region that is farthest from its edge and from the picture's border."""
    x, y, width, height = cv2.boundingRect(region.astype(np.uint8))
    inside = np.pad(region[y : y + height, x : x + width], 1).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return x + int(column) - 1, y + int(row) - 1


def bounds(region: Binary) -> Box:
    """The box around a region that is not empty."""
    x, y, width, height = cv2.boundingRect(region.astype(np.uint8))
    return x, y, x + width, y + height
