"""Boxes around objects: computed, enlarged, cropped from a picture and pasted back."""

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core.interfaces.pictures import Box

#: The least context around an object, in pixels.
LEAST_MARGIN = 8

#: The stride of the deepest layers of common networks, in pixels.
CELL = 16


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """The tight box (x0, y0, x1, y1) of a mask (1, H, W) that is not empty."""
    rows = torch.nonzero(mask[0].amax(dim=1) > 0)
    columns = torch.nonzero(mask[0].amax(dim=0) > 0)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def crop_box(mask: Tensor, margin: float, paints: Tensor | None = None) -> Box:
    """The box of a mask (1, H, W) with context around it, inside of the picture.

    Args:
        mask: the object's; not empty.
        margin: on each side, as a fraction of the box's long side; at least `LEAST_MARGIN`, so that
            a small object has some background around it, too.
        paints: pixels (1, H, W) that must be inside as well.
    """
    x0, y0, x1, y1 = box_of(mask)
    height, width = mask.shape[1:]
    extra = max(LEAST_MARGIN, round(margin * max(x1 - x0, y1 - y0)))
    x0, y0, x1, y1 = x0 - extra, y0 - extra, x1 + extra, y1 + extra
    if paints is not None:
        left, top, right, bottom = box_of(paints)
        x0, y0, x1, y1 = min(x0, left), min(y0, top), max(x1, right), max(y1, bottom)
    (x0, x1), (y0, y1) = _whole_cells(x0, x1, width), _whole_cells(y0, y1, height)
    return x0, y0, x1, y1


def _whole_cells(first: int, last: int, length: int) -> tuple[int, int]:
    """A range enlarged to a multiple of `CELL`, if there is room between 0 and length.

    On such sides networks are faster, and their poolings drop no pixels.
    """
    first, last = max(0, first), min(length, last)
    wanted = min(length, -(-(last - first) // CELL) * CELL)
    first = min(max(0, first - (wanted - (last - first)) // 2), length - wanted)
    return first, first + wanted


def crop(image: Tensor, box: Box) -> Tensor:
    """The pixels (C, h, w) of a picture (C, H, W) inside of a box."""
    x0, y0, x1, y1 = box
    return image[:, y0:y1, x0:x1]


def paste(canvas: Tensor, box: Box, pixels: Tensor) -> Tensor:
    """A picture (C, H, W) with the pixels (C, h, w) inside of a box replaced.

    Raises:
        ValueError: the pixels do not fill the box, or it is not within the picture.
    """
    x0, y0, x1, y1 = box
    pasted = canvas.clone()
    place = pasted[:, y0:y1, x0:x1]
    if min(box) < 0 or not place.shape == pixels.shape == (len(canvas), y1 - y0, x1 - x0):
        raise ValueError(f"pixels of the shape {(*pixels.shape,)} do not fill the box {box}")
    place.copy_(pixels)
    return pasted
