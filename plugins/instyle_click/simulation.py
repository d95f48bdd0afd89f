"""Training examples: an object of a photo, a crop around it, and what a user might click first."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from instyle_click.clicks import Binary, Clicks, bounds, drawn, middle
from instyle_click.objects import Labels, Region, regions
from instyle_core import Box, Point
from instyle_training.recipe import Recipe
from instyle_training.voc import IGNORED

#: What a training sees: a crop, uint8 (3, S, S); the object in it, uint8 (S, S): 0, 1 or
#: `IGNORED`; the maps of `drawn`, float32 (3, S, S).
Example = tuple[Tensor, Tensor, Tensor]

#: How often another object is tried, and the fewest pixels of object and background in a crop.
_TRIES, _FEWEST = 5, 60


def example(
    photo: NDArray[np.uint8],
    mask: Labels,
    recipe: Recipe,
    draw: np.random.Generator,
) -> Example:
    """One object of a photo, or a crop in which nothing counts where there is none.

    Args:
        photo: (H, W, 3), RGB.
        mask: class numbers (H, W), or `IGNORED`.
        recipe: the side of the crop, and how it is changed.
        draw: all that is random but for the colors, which torch's global generator draws.
    """
    there = regions(mask)
    for _ in range(_TRIES if there else 0):
        inside, is_part = _object(there, draw)
        target = np.where(mask == IGNORED, IGNORED, inside).astype(np.uint8)
        crop, seen = _crop(photo, target, bounds(inside), recipe, draw)
        if min((seen == 1).sum(), (seen == 0).sum()) >= _FEWEST:
            clicks = _first_clicks(seen, draw, is_part=is_part)
            maps = drawn(clicks, (recipe.crop, recipe.crop))
            return _recolored(crop, recipe.color), torch.from_numpy(seen), torch.from_numpy(maps)
    nothing = np.full(mask.shape, IGNORED, np.uint8)
    crop, seen = _crop(photo, nothing, (0, 0, *mask.shape[::-1]), recipe, draw)
    maps = np.zeros((3, *seen.shape), np.float32)
    return _recolored(crop, recipe.color), torch.from_numpy(seen), torch.from_numpy(maps)


def _recolored(crop: NDArray[np.uint8], amount: float) -> Tensor:
    pixels = torch.from_numpy(crop).permute(2, 0, 1)
    change = v2.Compose(
        [
            v2.ColorJitter(amount, amount, amount, hue=amount / 8),
            v2.RandomGrayscale(0.1),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], p=0.1),
        ]
    )
    return change(pixels)


def _object(there: list[Region], draw: np.random.Generator) -> tuple[Binary, bool]:
    """A region, all regions of a class, two of them together, or a part of one; which it is."""
    chances = np.array([region.area for region in there], float) ** 0.3
    chosen = there[draw.choice(len(there), p=chances / chances.sum())]
    kind = draw.random()
    if kind < 0.08:
        return np.any([r.inside for r in there if r.label == chosen.label], axis=0), False
    if kind < 0.16 and len(there) > 1:
        return chosen.inside | there[draw.integers(len(there))].inside, False
    if kind < 0.20:
        y, x = np.indices(chosen.inside.shape)
        center = middle(chosen.inside)
        angle = draw.uniform(0, 2 * math.pi)
        side = (x - center[0]) * math.cos(angle) + (y - center[1]) * math.sin(angle) > 0
        return chosen.inside & side, True
    return chosen.inside, False


def _crop(
    photo: NDArray[np.uint8], target: Labels, box: Box, recipe: Recipe, draw: np.random.Generator
) -> tuple[NDArray[np.uint8], Labels]:
    """A square around the object, or of all of the photo; turned, stretched and mirrored a bit."""
    height, width = target.shape
    side = recipe.crop
    x0, y0, x1, y1 = box
    longest = max(x1 - x0, y1 - y0)
    if draw.random() < 0.35:
        extent = max(height, width) * draw.uniform(0.9, 1.25)
        center = np.array([width / 2, height / 2])
    else:
        extent = max(48.0, longest * math.exp(draw.uniform(math.log(1.05), math.log(3.0))))
        center = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    center = center + draw.uniform(-0.5, 0.5, 2) * max(0.2 * extent, extent - longest)
    # Within the photo, as far as it goes.
    for axis, size in enumerate((width, height)):
        low, high = sorted((extent / 2, size - extent / 2))
        center[axis] = min(max(center[axis], low), high)
    angle = math.radians(draw.uniform(-20, 20)) if draw.random() < 0.3 else 0.0
    stretch = math.exp(draw.uniform(-0.15, 0.15))
    factor = side / extent
    across, down = factor * stretch, factor / stretch
    if recipe.flip and draw.random() < 0.5:
        across = -across
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.diag([across, down])
    shift = np.array([side / 2, side / 2]) - matrix @ center
    move = np.hstack([matrix, shift[:, None]])
    shown = photo
    if factor < 0.7:  # sampled from a blurred photo, so that nothing is lost between samples
        shown = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.4 / factor), np.uint8)
    crop = cv2.warpAffine(
        shown, move, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    seen = cv2.warpAffine(target, move, (side, side), flags=cv2.INTER_NEAREST, borderValue=IGNORED)
    return np.asarray(crop, np.uint8), np.asarray(seen, np.uint8)


def _first_clicks(seen: Labels, draw: np.random.Generator, *, is_part: bool) -> Clicks:
    inside, outside = seen == 1, seen == 0
    box = None
    if draw.random() < 0.2 and not is_part:
        box = _box(inside, draw)
        if draw.random() < 0.5:
            return Clicks(box=box)
    count = 1 if draw.random() < 0.6 and not is_part else 1 + min(5, int(draw.geometric(0.5)))
    on = [_point_on(inside, draw) for _ in range(count)]
    off: list[Point] = []
    if is_part or draw.random() < 0.3:
        near = cv2.dilate(inside.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        for _ in range(min(4, int(draw.geometric(0.5)))):
            place = outside & near if draw.random() < 0.6 else outside
            off.append(_any(place if place.any() else outside, draw))
    return Clicks(tuple(on), tuple(off), box)


def _point_on(inside: Binary, draw: np.random.Generator) -> Point:
    """The middle of the largest part of the object, or anywhere well inside."""
    depth = cv2.distanceTransform(
        np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )[1:-1, 1:-1]
    if draw.random() < 0.5:
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        return int(column), int(row)
    return _any(depth > draw.uniform(0.05, 0.7) * depth.max(), draw)


def _any(place: Binary, draw: np.random.Generator) -> Point:
    flat = np.flatnonzero(place)
    row, column = divmod(int(flat[draw.integers(len(flat))]), place.shape[1])
    return column, row


def _box(inside: Binary, draw: np.random.Generator) -> Box:
    """The object's box as a hand would draw it: each side off by a tenth at most."""
    x0, y0, x1, y1 = bounds(inside)
    off = draw.uniform(-0.05, 0.1, 4)
    width, height = x1 - x0, y1 - y0
    return (
        round(x0 - off[0] * width),
        round(y0 - off[1] * height),
        max(x0 + 2, round(x1 + off[2] * width)),
        max(y0 + 2, round(y1 + off[3] * height)),
    )
