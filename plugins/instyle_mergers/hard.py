"""The merger of the paper: the object's pixels are replaced."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import Mask, Merger
from instyle_mergers.params import HardParams


class HardMerger(Merger):
    """The stylized pixel inside of the object, the photo's outside.

    If the mask has an alpha, that much of the stylized pixel, and nothing is softened beyond it.

    Source: Zhao and Zhang, section on merging.
    """

    def __init__(self, params: HardParams) -> None:
        del params  # there are none

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        if mask.alpha is not None:
            return torch.lerp(content, stylized, mask.alpha)
        return torch.where(mask.decision > 0, stylized, content)
