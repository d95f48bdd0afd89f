"""Pictures of which the true mask is known."""

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import testing

WARM, COOL = torch.tensor([0.8, 0.4, 0.2]), torch.tensor([0.2, 0.4, 0.7])


def scene(height: int = 80, width: int = 100, *, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """A warm, textured disc on a cool, textured ground, and its true mask (H, W)."""
    inside = testing.disc(height, width).decision
    colors = torch.where(inside > 0, WARM[:, None, None], COOL[:, None, None])
    grain = torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    return (colors + noise * grain).clamp(0, 1), inside[0] > 0


def iou(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())
