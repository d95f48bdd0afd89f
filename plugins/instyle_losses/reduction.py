"""How squared errors, weighted by the object's mask, become one number."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from instyle_losses.params import Reduction

#: The mean square below which feature maps or Gram matrices count as zero. Their units differ from
#: network to network, so that no level counts as faint: this only avoids a division by zero.
ZERO = 1e-12


def _all(whole: Tensor) -> Tensor:
    return whole


class SquaredError:
    """The squared error of values x against a constant target t, weighted by w.

    ``E = share sum(w (x - t)²) / D``, over all entries, with D by reduction:

    - ``relative``: ``max(sum(w t²), floor sum(w))``
    - ``mean``: ``sum(w)``
    - ``sum``: 1

    Without weight anywhere, E is 0.

    Source: Mahendran and Vedaldi 2015, "Understanding Deep Image Representations by Inverting
    Them", on balancing the terms, for ``relative``.

    Args:
        target: of any shape; its gradient is dropped.
        weights: at least 0; broadcast to the target, so that (1, 1, h, w) weights all C maps of
            (1, C, h, w) alike, and ``sum(w)`` counts each of them.
        reduction: see above.
        floor: the mean square, in the unit of the target squared, below which a target counts as
            flat: an error relative to next to nothing would be arbitrarily large.
        share: of this error in a sum of several.
    """

    def __init__(
        self,
        target: Tensor,
        weights: Tensor,
        reduction: Reduction,
        *,
        floor: float = ZERO,
        share: float = 1.0,
    ) -> None:
        self._target = target.detach()
        self._weights = weights
        energy = (weights * self._target.square()).sum()
        count = weights.sum() * (target.numel() / weights.numel())
        self._factor = share * reducing_factor(reduction, energy, count, floor)

    def __call__(self, values: Tensor, part: Callable[[Tensor], Tensor] = _all) -> Tensor:
        """The error of all values or, added up over tiles, of those of a part.

        Args:
            values: of the target's shape, or of that of its part.
            part: cuts the same part out of target and weights.
        """
        error = values - part(self._target)
        return weighted_squares(error, part(self._weights), self._factor)


def weighted_squares(values: Tensor, weights: Tensor, factor: Tensor) -> Tensor:
    """``f sum(w x²)``, with weights that are broadcast to the values.

    Weights and the factor, a scalar, have no gradient.
    """
    if weights.numel() == 1:
        return _WeightedSquares.apply(values, None, factor * weights.reshape(()))  # type: ignore[no-untyped-call]
    return _WeightedSquares.apply(values, weights, factor)  # type: ignore[no-untyped-call]


class _WeightedSquares(torch.autograd.Function):
    """Three passes over memory, or two with the same weight for all.

    Automatic differentiation takes eight and mixes layouts.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor | None, factor: Tensor) -> Tensor:
        weighted = values if weights is None else values * weights
        ctx.save_for_backward(weighted, factor)
        # Both are read in the memory order of the weighted values.
        if weighted.ndim == 4 and weighted.is_contiguous(memory_format=torch.channels_last):
            values, weighted = values.permute(0, 2, 3, 1), weighted.permute(0, 2, 3, 1)
        return factor * values.flatten().dot(weighted.flatten())

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        weighted, factor = ctx.saved_tensors
        return 2 * gradient * factor * weighted, None, None


def reducing_factor(reduction: Reduction, energy: Tensor, count: Tensor, floor: float) -> Tensor:
    """What a weighted sum of squares is multiplied by: 1 / D, see `SquaredError`.

    Args:
        reduction: ``relative``, ``mean`` or ``sum``.
        energy: the same sum for what it is relative to.
        count: the sum of the weights.
        floor: see `SquaredError`.

    Returns:
        A scalar; 0 where nothing has any weight.
    """
    if reduction == "sum":
        return torch.ones_like(count)
    scale = count if reduction == "mean" else torch.maximum(energy, floor * count)
    tiny = torch.finfo(scale.dtype).tiny
    return torch.where(count > 0, 1 / scale.clamp(min=tiny), 0)
