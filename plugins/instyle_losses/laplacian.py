"""The Laplacian loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from functools import cache

import torch
from kornia.filters import filter2d
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Loss, Targets, View
from instyle_losses.params import LaplacianParams
from instyle_losses.reduction import SquaredError

#: The mean square of the response below which a photo counts as flat. 0.1 is the response of a cell
#: that differs from its four neighbors by 2 of 255 levels in each channel, which is hardly visible.
FLAT = 0.1**2

# kornia.filters.laplacian has the eight neighbors, this one (Li et al.) has four.
_KERNEL = ((0.0, -1.0, 0.0), (-1.0, 4.0, -1.0), (0.0, -1.0, 0.0))


class LaplacianLoss(Loss):
    """The photo's edges, compared cell by cell within the object.

    ``L = mean_k sum_p m_kp (E_k(x)_p - E_k(photo)_p)² / D_k`` with the `edges` E (1, 1, h, w) after
    pooling of size k, the mask m pooled alike, and the divisor D of the reduction
    (`instyle_losses.reduction.SquaredError`). With the reduction ``sum`` it is the sum over k.

    A picture no larger than the pool is a single cell, which has no edges: its term is 0.

    Source: Li et al. 2017, "Laplacian-Steered Neural Style Transfer", the Laplacian loss; Zhao
    and Zhang, section on style transfer.
    """

    def __init__(self, params: LaplacianParams) -> None:
        self._params = params
        self._white = 1.0 if params.reduction == "relative" else params.pixel_range
        self._errors: list[tuple[int, SquaredError]] = []

    def prepare(self, targets: Targets) -> None:
        content, reduction = targets.content, self._params.reduction
        share = 1.0 if reduction == "sum" else 1 / len(self._params.pools)
        self._errors = []
        for pool in self._params.pools_at(max(content.image.shape[-2:])):
            target = edges(self._white * content.image, pool, self._params.stride)
            mask = average(content.mask(), pool, self._params.stride)
            error = SquaredError(target, mask, reduction, floor=FLAT, share=share)
            self._errors.append((pool, error))

    def __call__(self, view: View) -> Tensor:
        errors = [
            error(edges(self._white * view.image, pool, self._params.stride))
            for pool, error in self._errors
        ]
        return torch.stack(errors).sum()


def edges(image: Tensor, pool: int, stride: int | None = None) -> Tensor:
    """The Laplacian of the averaged picture, summed over R, G and B.

    Up to the sign, which a squared difference does not see. Beyond the border, the cells at the
    border are repeated, so that there is no edge.

    Args:
        image: (1, 3, H, W).
        pool: see `average`.
        stride: see `average`.

    Returns:
        (1, 1, h, w); in [-12, 12] for pictures in [0, 1].
    """
    summed = average(image, pool, stride).sum(dim=1, keepdim=True)
    return filter2d(summed, _kernel(image.device, image.dtype), border_type="replicate")


@cache  # or it would be copied to a GPU at each step
def _kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(_KERNEL, device=device, dtype=dtype)[None]


def average(image: Tensor, pool: int, stride: int | None = None) -> Tensor:
    """The mean over squares of pixels that cover the whole picture.

    Squares that reach over the border are averages of what they have of the picture.

    Args:
        image: (1, C, H, W).
        pool: the side of a square, in pixels.
        stride: the distance of squares, at most the pool; the pool when None.

    Returns:
        (1, C, h, w) with h about H / stride.
    """
    stride = stride or pool
    return F.avg_pool2d(
        image,
        pool,
        stride,
        padding=(pool - stride) // 2,  # the paper's 1 for a pool of 3 and a stride of 1
        ceil_mode=True,
        count_include_pad=False,
    )
