"""Gram matrices, in float32 whatever precision the feature maps have."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from instyle_losses.params import Gram

#: Cells that are brought to float32 at a time, which bounds the memory that it takes.
CELLS = 2**18


def gram_matrix(maps: Tensor, mask: Tensor | None = None, gram: Gram = "mean") -> Tensor:
    """How often features occur together: ``G_ij = sum_p m_p F_ip F_jp / n``.

    Args:
        maps: F, (1, C, h, w), in any precision.
        mask: m, (1, 1, h, w), in [0, 1]; ones when None. The object may well cover less than one
            cell.
        gram: n is ``sum_p m_p`` for ``mean``, C times that for ``chw`` and 1 for ``sum``.

    Returns:
        (1, C, C), symmetric, float32 or float64; zeros where the mask is zero everywhere.
    """
    return normalised_gram(*weighted_gram(maps, mask), gram)


def weighted_gram(
    maps: Tensor, mask: Tensor | None, covered: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``sum_p m_p F_ip F_jp``, (1, C, C), and ``sum_p m_p``, a scalar; see `gram_matrix`.

    Args:
        maps: F, (1, C, h, w).
        mask: m, (1, 1, h, w); ones when None.
        covered: the numbers of all cells above 0, row by row, so that no other is looked at.
    """
    product = _WeightedGram.apply(maps, mask, covered)  # type: ignore[no-untyped-call]
    cells = product.new_full((), maps[0, 0].numel()) if mask is None else mask.sum()
    return product, cells


def normalised_gram(product: Tensor, cells: Tensor, gram: Gram) -> Tensor:
    """The Gram matrix out of what `weighted_gram` gives."""
    if gram == "sum":
        return product
    divisor = cells.clamp(min=torch.finfo(cells.dtype).tiny)
    return product / (divisor if gram == "mean" else product.shape[1] * divisor)


class _WeightedGram(torch.autograd.Function):
    """``G_ij = sum_p m_p F_ip F_jp`` with the gradient ``m_p sum_j (D_ij + D_ji) F_jp``.

    Automatic differentiation does not know that both factors are one, and takes two matrix products
    and two more passes over the maps for the same gradient.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, mask: Tensor | None, covered: Tensor | None) -> Tensor:
        ctx.save_for_backward(maps, *([] if mask is None else [mask]))
        wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
        gram = maps.new_zeros(maps.shape[1], maps.shape[1], dtype=wide)
        rows, weights = _cells(maps), None if mask is None else _cells(mask)
        if covered is not None and weights is not None:
            rows, weights = rows.index_select(0, covered), weights.index_select(0, covered)
        with _exact_products(maps.dtype):
            for first in range(0, len(rows), CELLS):
                right = rows[first : first + CELLS].to(wide)
                left = right if weights is None else right * weights[first : first + CELLS]
                gram.addmm_(left.T, right)
        return gram[None]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        maps, *mask = ctx.saved_tensors
        both = gradient[0] + gradient[0].T
        # The maps' own gradient has the precision of the network in any case; bfloat16 reaches as
        # far as float32, float16 does not.
        narrow = maps.dtype if maps.dtype == torch.bfloat16 else both.dtype
        rows = _cells(maps.to(narrow))
        if _is_channels_last(maps):  # so should the gradient be
            product = rows @ both.to(narrow)
        else:
            product = (both.to(narrow) @ rows.T).T
        for weights in mask:
            product.mul_(_cells(weights).to(narrow))
        return product.T.reshape(maps.shape).to(maps.dtype), None, None


def _cells(maps: Tensor) -> Tensor:
    """The cells of a map (1, C, h, w), one in each row: (h w, C)."""
    if _is_channels_last(maps):
        return maps[0].permute(1, 2, 0).flatten(0, 1)
    return maps[0].flatten(1).T


def _is_channels_last(maps: Tensor) -> bool:
    """Whether the channels of a cell lie side by side; those of a part of a map do as well."""
    return maps.stride(1) == 1


@contextmanager
def _exact_products(dtype: torch.dtype) -> Iterator[None]:
    """Let matrix products in float32 take factors that are bfloat16 in truth for such.

    They are three times as fast, and lose nothing: factors are exact, sums are float32.
    """
    if dtype != torch.bfloat16:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
