"""Gram matrices, in float32 whatever precision the feature maps have."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from instyle_losses.coverage import Coverage
from instyle_losses.params import Gram

#: Numbers that are brought to float32 at a time. For processors these are few enough for caches;
#: a GPU, which is to be called seldom, takes more, which bounds the memory that it takes.
NUMBERS = 2**21
NUMBERS_GPU = 2**24

#: Rows for each column of a factor from which on cores take rows of their own.
WORTH_SHARING = 4


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
    return normalized_gram(*weighted_gram(maps, None if mask is None else Coverage(mask)), gram)


def weighted_gram(maps: Tensor, coverage: Coverage | None) -> tuple[Tensor, Tensor]:
    """``sum_p m_p F_ip F_jp``, (1, C, C), and ``sum_p m_p``, a scalar; see `gram_matrix`.

    Args:
        maps: F, (1, C, h, w).
        coverage: of the mask m; None for ones.
    """
    product = _WeightedGram.apply(maps, coverage)  # type: ignore[no-untyped-call]
    if coverage is None:
        return product, product.new_full((), maps[0, 0].numel())
    return product, coverage.cells


def normalized_gram(product: Tensor, cells: Tensor, gram: Gram) -> Tensor:
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
    def forward(ctx: Any, maps: Tensor, coverage: Coverage | None) -> Tensor:
        ctx.save_for_backward(maps)
        ctx.coverage = coverage
        wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
        gram = maps.new_zeros(maps.shape[1], maps.shape[1], dtype=wide)
        rows = _cells(maps)
        with _exact_products(maps.dtype):
            for numbers, weights in coverage.covered() if coverage else [(None, None)]:
                _add_products(gram, rows, numbers, weights)
        return gram[None]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (maps,) = ctx.saved_tensors
        both = gradient[0] + gradient[0].T
        # The maps' own gradient has the precision of the network in any case; bfloat16 reaches as
        # far as float32, float16 does not.
        narrow = maps.dtype if maps.dtype == torch.bfloat16 else both.dtype
        rows = _cells(maps.to(narrow))
        if _is_channels_last(maps):  # so should the gradient be
            product = rows @ both.to(narrow)
        else:
            product = (both.to(narrow) @ rows.T).T
        if ctx.coverage:
            ctx.coverage.weigh_(product)
        return product.T.reshape(maps.shape).to(maps.dtype), None


def _add_products(
    gram: Tensor, rows: Tensor, numbers: Tensor | None, weights: Tensor | None
) -> None:
    """Add ``sum_p m_p F_ip F_jp`` over some rows F_p (n, C) to a matrix (C, C)."""
    count = len(rows if numbers is None else numbers)
    on_processor = rows.device.type == "cpu"
    at_a_time = max(1, (NUMBERS if on_processor else NUMBERS_GPU) // rows.shape[1])
    for first in range(0, count, at_a_time):
        some = slice(first, first + at_a_time)
        chosen = rows[some] if numbers is None else rows.index_select(0, numbers[some])
        right = chosen.to(gram.dtype)
        left = right if weights is None else right * weights[some].to(gram.dtype)
        # A core each for so many rows, instead of for a part of a matrix that may be small.
        shares = torch.get_num_threads() if on_processor else 1
        each = len(right) // shares
        if shares > 1 and each >= WORTH_SHARING * gram.shape[0]:
            parts = [side[: shares * each].view(shares, each, -1) for side in (left, right)]
            gram += torch.bmm(parts[0].mT, parts[1]).sum(dim=0)
            left, right = left[shares * each :], right[shares * each :]
        gram.addmm_(left.T, right)


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
