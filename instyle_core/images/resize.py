"""Pictures at another size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample a picture with an antialiased bicubic filter.

    Args:
        image: (C, H, W) float32 in [0, 1].
        size: (height, width) of the result, in pixels.

    Returns:
        (C, height, width) in [0, 1]; `image` itself if it has that size.
    """
    if tuple(image.shape[1:]) == tuple(size):
        return image
    return resample(image, size).clamp(0, 1)


def resample(image: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """Resample values of any range with an antialiased filter, without clamping them.

    Args:
        image: (C, H, W).
        size: (height, width) of the result, in pixels.
        mode: ``bicubic``, which may overshoot, or ``bilinear``.

    Returns:
        (C, height, width).
    """
    height, width = size
    if width == 1 < height:  # torch 2.15 is wrong for pictures of one column
        return resample(image.mT.contiguous(), (width, height), mode).mT
    return F.interpolate(image[None], size, mode=mode, antialias=True)[0]
