"""The object that clicks mean, in two looks: at the photo, and closer at what was found."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_click.clicks import Box, Clicks, bounds, drawn, scaled
from instyle_click.network import ClickNet

#: What is around an object or a box in a look, on each side, as a fraction of its longer side.
AROUND = 0.25

#: How much a crop is enlarged at most.
_ENLARGED = 3.0

#: Where the first look finds nothing: the side of the second, as a fraction of the photo's.
_NOTHING = 0.3


@torch.no_grad()
def look_twice(network: ClickNet, image: Tensor, clicks: Clicks, size: int) -> Tensor:
    """The probability of each pixel to belong to the object, float32 (H, W).

    The first look is at all of the photo, or at the box and what is around it. The second is at the
    object that was found and what is around it, as large as may be, with the mask of the first as
    the mask so far. Where the second does not look, the first one's answer stays.

    Args:
        network: in evaluation mode, on the picture's device.
        image: (3, H, W), in [0, 1].
        clicks: at least one point on the object, or a box.
        size: the longest side that the network sees, in pixels.
    """
    height, width = image.shape[1:]
    everything = (0, 0, width, height)
    first = _around(clicks.box, everything) if clicks.box else everything
    found = torch.zeros(height, width, device=image.device)
    for window in (first, None):
        x0, y0, x1, y1 = window or _second(found, clicks, everything)
        before = found[y0:y1, x0:x1]
        found[y0:y1, x0:x1] = _look(network, image[:, y0:y1, x0:x1], clicks, (x0, y0), before, size)
    return found


def _look(
    network: ClickNet,
    crop: Tensor,
    clicks: Clicks,
    origin: tuple[int, int],
    before: Tensor,
    size: int,
) -> Tensor:
    """The probabilities (H, W) of a crop that begins at `origin` in the photo."""
    height, width = crop.shape[1:]
    factor = min(size / max(height, width), _ENLARGED)
    small = max(1, round(height * factor)), max(1, round(width * factor))
    planes = torch.cat([crop, before[None]])[None]
    planes = F.interpolate(planes, small, mode="bilinear", antialias=True)
    factors = small[1] / width, small[0] / height
    box = clicks.box
    seen = Clicks(
        scaled(clicks.on, origin, factors),
        scaled(clicks.off, origin, factors),
        box and (*scaled([box[:2]], origin, factors)[0], *scaled([box[2:]], origin, factors)[0]),
    )
    points = torch.from_numpy(drawn(seen, small)).to(crop.device)
    maps = torch.cat([points[None], planes[:, 3:]], dim=1)
    probability = network(planes[:, :3], maps).sigmoid()
    return F.interpolate(probability, (height, width), mode="bilinear")[0, 0]


def _second(found: Tensor, clicks: Clicks, everything: Box) -> Box:
    """Where the second look is: around what the first one found, and all points on the object."""
    decision = (found >= 0.5).cpu().numpy()
    inside = holding(decision, clicks)
    boxes = [(x, y, x + 1, y + 1) for x, y in clicks.on]
    if inside.any():
        boxes.append(bounds(inside))
    elif clicks.box:
        boxes.append(clicks.box)
    x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
    x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
    if not inside.any() and not clicks.box:
        extra = round(_NOTHING / 2 * max(everything[2:]))
        return _within((x0 - extra, y0 - extra, x1 + extra, y1 + extra), everything)
    return _around((x0, y0, x1, y1), everything)


def holding(decision: np.ndarray, clicks: Clicks) -> np.ndarray:
    """The connected regions (8 neighbors) that hold points on the object; all without such points.

    Args:
        decision: bool (H, W).
        clicks: in its pixels.
    """
    if not clicks.on:
        return decision
    _, regions = cv2.connectedComponents(decision.astype(np.uint8))
    held = {int(regions[y, x]) for x, y in clicks.on} - {0}
    return np.isin(regions, list(held))


def _around(box: Box, everything: Box) -> Box:
    x0, y0, x1, y1 = box
    extra = max(8, round(AROUND * max(x1 - x0, y1 - y0)))
    return _within((x0 - extra, y0 - extra, x1 + extra, y1 + extra), everything)


def _within(box: Box, everything: Box) -> Box:
    x0, y0, x1, y1 = box
    return max(x0, 0), max(y0, 0), min(x1, everything[2]), min(y1, everything[3])
