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

#: How many values are converted to float32 at a time: on a CPU, as many as fit in its caches; on a
#: GPU more, which needs fewer calls and still bounds memory.
CHUNK = 2**21
CHUNK_GPU = 2**24

#: A factor with at least so many rows for each column is shared out among the cores by rows.
WORTH_SHARING = 4


def gram_matrix(maps: Tensor, mask: Tensor | None = None, gram: Gram = "mean") -> Tensor:
    """How often features occur together: ``G_ij = sum_p m_p F_ip F_jp / n``.

    Args:
        maps: F, (1, C, h, w), in any precision.
        mask: m, (1, 1, h, w), in [0, 1]; ones when None. The object may cover less than one cell.
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
    """The Gram matrix from the results of `weighted_gram`."""
    if gram == "sum":
        return product
    divisor = cells.clamp(min=torch.finfo(cells.dtype).tiny)
    return product / (divisor if gram == "mean" else product.shape[1] * divisor)


class _WeightedGram(torch.autograd.Function):
    """``G_ij = sum_p m_p F_ip F_jp`` with the gradient ``m_p sum_j (D_ij + D_ji) F_jp``.

    Automatic differentiation does not know that both factors are the same, and takes two matrix
    products and two more passes over the maps for the same gradient.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, coverage: Coverage | None) -> Tensor:
        ctx.save_for_backward(maps)
        ctx.coverage = coverage
        wide = torch.float64 if maps.dtype == torch.float64 else torch.float32
        gram = maps.new_zeros(maps.shape[1], maps.shape[1], dtype=wide)
        rows = _cells(maps)
        with _bfloat16_products(maps.dtype):
            for indices, weights in coverage.covered() if coverage else [(None, None)]:
                _add_products(gram, rows, indices, weights)
        return gram[None]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (maps,) = ctx.saved_tensors
        both = gradient[0] + gradient[0].T
        # The gradient gets the precision of the network in any case. bfloat16 has the range of
        # float32; float16 does not.
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
    gram: Tensor, rows: Tensor, indices: Tensor | None, weights: Tensor | None
) -> None:
    """Add ``sum_p m_p F_ip F_jp`` over some rows F_p (n, C) to a matrix (C, C)."""
    count = len(rows if indices is None else indices)
    on_cpu = rows.device.type == "cpu"
    at_a_time = max(1, (CHUNK if on_cpu else CHUNK_GPU) // rows.shape[1])
    for first in range(0, count, at_a_time):
        some = slice(first, first + at_a_time)
        chosen = rows[some] if indices is None else rows.index_select(0, indices[some])
        right = chosen.to(gram.dtype)
        left = right if weights is None else right * weights[some].to(gram.dtype)
        # Each core takes some of the rows: the matrix itself may be too small to share out.
        shares = torch.get_num_threads() if on_cpu else 1
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
    """Whether the channels of a cell are adjacent in memory; also true of a part of such a map."""
    return maps.stride(1) == 1


@contextmanager
def _bfloat16_products(dtype: torch.dtype) -> Iterator[None]:
    """Let float32 matrix products round their factors to bfloat16, for maps of that precision.

    They are three times as fast, and sums stay float32. Only factors that were multiplied by a soft
    mask lose anything: the others have values of bfloat16.
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
