"""Samples as files have them, integers of 8 or 16 bits, to tensors and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

Samples = NDArray[Any]  # uint8 or uint16, (H, W, C) unless said otherwise


def to_tensor(samples: Samples) -> Tensor:
    """(H, W, C) integers to (C, H, W) float32 in [0, 1]."""
    top = np.iinfo(samples.dtype).max
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1), dtype=np.float32)
    planes /= np.float32(top)
    return torch.from_numpy(planes)


def quantize(image: Tensor, dtype: DTypeLike) -> Samples:
    """(C, H, W) in [0, 1] to (H, W, C) integers, rounded; the inverse of `to_tensor`."""
    levels = (image.clamp(0, 1) * float(np.iinfo(dtype).max)).round()
    return levels.numpy().astype(dtype).transpose(1, 2, 0)


def to_depth(samples: Samples, dtype: DTypeLike) -> Samples:
    """8 bits to 16 or back, rounded; 255 and 65535 are the same white."""
    if samples.dtype == dtype:
        return samples
    if samples.dtype == np.uint8:
        return samples.astype(np.uint16) * np.uint16(257)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def squeeze(samples: Samples) -> Samples:
    """(H, W, 1) to (H, W), which is how Pillow and OpenCV have gray; others as they are."""
    return samples[..., 0] if samples.shape[2] == 1 else samples


def rescale(samples: Samples, top: int) -> Samples:
    """Samples from 0 to `top` to uint8 (for `top` up to 255) or uint16 of the full range."""
    dtype = np.uint8 if top <= 255 else np.uint16
    full = int(np.iinfo(dtype).max)
    if top == full:
        return samples.astype(dtype)
    return ((samples.clip(0, top).astype(np.uint32) * full + top // 2) // top).astype(dtype)
