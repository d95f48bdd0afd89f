"""Photos of a disc, its true mask, and what a coarse segmenter makes of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Mask, testing


def blurred_off(true: Tensor, blur: int, shift: int) -> Mask:
    """What a coarse segmenter would make of a mask: soft, and some pixels to the right."""
    moved = torch.roll(true, shift, dims=2)
    padded = F.pad(moved[None], (blur,) * 4, mode="replicate")
    soft = F.avg_pool2d(padded, 2 * blur + 1, stride=1)[0]
    return Mask(soft, (soft > 0.5).float())


def scene(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A photo of a red disc before green, with noise, (3, H, W), and its mask (1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    true = testing.disc(size, size, radius=0.3).decision
    red, green = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.2, 0.6, 0.3])
    photo = torch.where(true > 0, red[:, None, None], green[:, None, None])
    noise = 0.05 * torch.randn(photo.shape, generator=generator)
    return (photo + noise).clamp(0, 1), true


def iou(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / torch.maximum(a, b).sum())
