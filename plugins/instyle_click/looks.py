"""The object that clicks mean, in two looks: at the photo, and closer at what was found."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_click.clicks import Binary, Clicks, bounds, drawn
from instyle_click.network import ClickNet
from instyle_core import Box

#: What is around an object or a box in a look, on each side, as a fraction of its longer side; and
#: the least, in pixels.
AROUND, _LEAST = 0.25, 8

#: How much a crop is enlarged at most.
_ENLARGED = 3.0

#: Where the first look finds nothing: the side of the second, as a fraction of the photo's longer.
_NOTHING = 0.3


def look_twice(network: ClickNet, image: Tensor, clicks: Clicks, size: int) -> Tensor:
    """The probability of each pixel to belong to the object, float32 (H, W).

    The first look is at all of the photo, or at the box and what is around it, and is told the box
    and the first point alone. The second is told everything. It is at the object that was found and
    what is around it, as large as may be, with the mask of the first as the mask so far: that is
    how the network learned about later clicks, which correct a mask. Where the first finds nothing,
    the second is at the box or around the points. Where the second does not look, the first one's
    answer stays.

    Args:
        network: in evaluation mode, on the picture's device.
        image: (3, H, W), in [0, 1].
        clicks: at least one point on the object, or a box.
        size: the longest side that the network sees, in pixels.
    """
    return second_look(network, image, clicks, first_look(network, image, clicks, size), size)


@torch.no_grad()
def first_look(network: ClickNet, image: Tensor, clicks: Clicks, size: int) -> Tensor:
    """What the first look finds; see `look_twice`. Later clicks do not change it."""
    found = torch.zeros(image.shape[1:], device=image.device)
    everything = _everything(image)
    window = _around(clicks.box, everything) if clicks.box else everything
    _look(network, image, found, replace(clicks, on=clicks.on[:1], off=()), window, size)
    return found


@torch.no_grad()
def second_look(
    network: ClickNet, image: Tensor, clicks: Clicks, first: Tensor, size: int
) -> Tensor:
    """What the second look makes of what the first one found; see `look_twice`."""
    found = first.clone()
    _look(network, image, found, clicks, _second(first, clicks, _everything(image)), size)
    return found


def _everything(image: Tensor) -> Box:
    height, width = image.shape[1:]
    return 0, 0, width, height


def _look(
    network: ClickNet, image: Tensor, found: Tensor, clicks: Clicks, window: Box, size: int
) -> None:
    """Replace what was found (H, W) within a window of the photo."""
    x0, y0, x1, y1 = window
    height, width = y1 - y0, x1 - x0
    factor = min(size / max(height, width), _ENLARGED)
    small = max(1, round(height * factor)), max(1, round(width * factor))
    pixels, before = (
        F.interpolate(planes[None, :, y0:y1, x0:x1], small, mode="bilinear", antialias=True)
        for planes in (image, found[None])
    )
    seen = clicks.scaled((x0, y0), (small[1] / width, small[0] / height))
    points = torch.from_numpy(drawn(seen, small)).to(image.device)
    probability = network(pixels, torch.cat([points[None], before], dim=1)).sigmoid()
    found[y0:y1, x0:x1] = F.interpolate(probability, (height, width), mode="bilinear")[0, 0]


def _second(found: Tensor, clicks: Clicks, everything: Box) -> Box:
    """Where the second look is: around what the first one found, and all points on the object."""
    inside = holding((found >= 0.5).cpu().numpy(), clicks)
    boxes = [(x, y, x + 1, y + 1) for x, y in clicks.on]
    if inside.any():
        boxes.append(bounds(inside))
    elif clicks.box:
        boxes.append(clicks.box)
    left, top, right, bottom = zip(*boxes, strict=True)
    box = min(left), min(top), max(right), max(bottom)
    if inside.any() or clicks.box:
        return _around(box, everything)
    return _grown(box, round(_NOTHING / 2 * max(everything[2:])), everything)


def holding(decision: Binary, clicks: Clicks) -> Binary:
    """The connected regions (8 neighbors) that hold points on the object; all without such points.

    Args:
        decision: (H, W).
        clicks: in its pixels.
    """
    if not clicks.on:
        return decision
    _, regions = cv2.connectedComponents(decision.astype(np.uint8))
    held = {int(regions[y, x]) for x, y in clicks.on} - {0}
    return np.isin(regions, list(held))


def _around(box: Box, everything: Box) -> Box:
    x0, y0, x1, y1 = box
    return _grown(box, max(_LEAST, round(AROUND * max(x1 - x0, y1 - y0))), everything)


def _grown(box: Box, extra: int, everything: Box) -> Box:
    """With so many pixels more on each side, as far as the photo goes."""
    x0, y0, x1, y1 = box
    _, _, width, height = everything
    return max(x0 - extra, 0), max(y0 - extra, 0), min(x1 + extra, width), min(y1 + extra, height)
