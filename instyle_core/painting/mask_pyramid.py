"""An object's mask at the resolution of feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.interfaces.pictures import Size

#: The share of an object's pixels that is always left.
LEAST_LEFT = 0.15

#: OpenCV's distances of pixels that are equally far may differ by this, in pixels.
_ROUNDING = 1e-3


class MaskPyramid:
    """An object's mask at the resolution of any feature map; each is computed once.

    Args:
        mask: float32 (1, 1, H, W), in [0, 1].
        strides: of the feature maps that have H // stride x W // stride cells.
    """

    def __init__(self, mask: Tensor, strides: Sequence[int] = ()) -> None:
        self._mask = mask
        self._strides = strides
        self._levels: dict[Size, Tensor] = {size_of(mask): mask}
        self._inside: dict[tuple[int, float], Tensor] = {}
        self._depths: Tensor | None = None

    def __call__(self, size: Sequence[int] | None = None) -> Tensor:
        """The mask averaged over the cells of a feature map: (1, 1, h, w)."""
        height, width = size or size_of(self._mask)
        if (height, width) not in self._levels:
            self._levels[height, width] = self._averaged(self._mask, (height, width))
        return self._levels[height, width]

    def inside(self, stride: int, distance: float) -> Tensor:
        """The mask drawn in by a distance, averaged over a layer's cells: (1, 1, h, w)."""
        if (stride, distance) not in self._inside:
            drawn_in = self._drawn_in(distance) if distance else self._mask
            self._inside[stride, distance] = F.avg_pool2d(drawn_in, stride)
        return self._inside[stride, distance]

    def _drawn_in(self, distance: float) -> Tensor:
        if self._depths is None:
            self._depths = depths(self._mask)
        object_depths = self._depths[self._depths > 0]
        if len(object_depths) == 0:
            return self._mask
        left = max(1, math.ceil(LEAST_LEFT * len(object_depths)))
        deepest = object_depths.topk(left).values[-1]
        least = torch.clamp(deepest, max=distance) - _ROUNDING
        return self._mask * (self._depths >= least).to(self._mask)

    def _averaged(self, mask: Tensor, size: Size) -> Tensor:
        for stride in self._strides:
            if size == (mask.shape[2] // stride, mask.shape[3] // stride):
                return F.avg_pool2d(mask, stride)
        return F.adaptive_avg_pool2d(mask, size)


def depths(mask: Tensor) -> Tensor:
    """The distance of each pixel of a mask (1, 1, H, W) from what is outside, in pixels.

    0 outside; infinite if there is no outside. The border of the picture is not an outside.
    """
    inside = (mask[0, 0] >= 0.5).cpu().numpy().astype(np.uint8)
    if inside.all():
        return torch.full_like(mask, math.inf)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return torch.from_numpy(distance).to(mask)[None, None]


def size_of(tensor: Tensor) -> Size:
    """(height, width) of (..., H, W)."""
    return tensor.shape[-2], tensor.shape[-1]
