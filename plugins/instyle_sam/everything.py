"""All the objects of a photo, by Segment Anything."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torchvision.ops import masks_to_boxes, nms

from instyle_sam.segment_anything import Seen, SegmentAnything

#: The published settings: a mask is stable if its area at logits above `OFFSET` is at least
#: `STABLE` of that above the negative of it; of two masks whose boxes have a higher IoU than
#: `OVERLAP`, one is left.
STABLE, OFFSET, OVERLAP = 0.95, 1.0, 0.7

#: How many prompts are answered at once; each takes some 20 MB with SAM 2.
BATCH = 16


def everything(
    network: SegmentAnything, seen: Seen, grid: int, threshold: float, most: int
) -> Iterator[tuple[Tensor, float]]:
    """Find objects at the points of a grid.

    Masks are compared at the size at which the network predicts them, and only those that are left
    are enlarged.

    Args:
        network: that has seen the photo.
        seen: the photo.
        grid: how many points to a side.
        threshold: the least IoU that the network expects of a mask.
        most: the most objects.

    Yields:
        The mask (1, H, W) and the expected IoU of each object, the surest first.

    Source: Kirillov et al. 2023, section B, "Automatic mask generation", without crops.
    """
    batches = torch.split(_grid(seen, grid), BATCH)
    found = [_answers(network, seen, points, threshold) for points in batches]
    logits, scores = (torch.cat(parts) for parts in zip(*found, strict=True))
    if not len(logits):
        return
    boxes = masks_to_boxes(network.coarse(seen, logits) > 0).float()
    for index in nms(boxes, scores, OVERLAP)[:most].tolist():
        yield network.enlarged(seen, logits[index]), float(scores[index].clamp(0, 1))


def _grid(seen: Seen, grid: int) -> Tensor:
    """The middles of equal parts of the photo, (grid * grid, 2), as x and y in pixels."""
    height, width = seen.size
    middles = (torch.arange(grid, device=seen.embeddings[0].device) + 0.5) / grid
    return torch.cartesian_prod(middles * width, middles * height)


def _answers(
    network: SegmentAnything, seen: Seen, points: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """The masks of some points that are sure and stable: logits (M, h, w) and scores (M)."""
    labels = torch.ones(len(points), 1, dtype=torch.int64, device=points.device)
    masks, expected = network.masks(seen, points[:, None], labels)
    logits, scores = masks.flatten(0, 1), expected.flatten()
    shown = network.coarse(seen, logits)
    areas = [(shown > level).sum(dim=(-2, -1)) for level in (OFFSET, 0, -OFFSET)]
    good = (scores >= threshold) & (areas[1] > 0) & (areas[0] >= STABLE * areas[2])
    return logits[good], scores[good]
