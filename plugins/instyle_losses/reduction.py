"""How squared errors, weighted by the object's mask, become one number."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from instyle_losses.params import Reduction

#: The mean square below which feature maps or Gram matrices count as zero. They have units of their
#: own, so that nothing can be said about what is faint: this only keeps from dividing by zero.
ZERO = 1e-12


def _all(whole: Tensor) -> Tensor:
    return whole


class SquaredError:
    """The squared error of values x against a constant target t, weighted by w.

    ``E = sum(w (x - t)²) / D``, over all entries, with D by reduction:

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
    """

    def __init__(
        self, target: Tensor, weights: Tensor, reduction: Reduction, *, floor: float = ZERO
    ) -> None:
        self._target = target.detach()
        self._weights = weights
        energy = (weights * self._target.square()).sum()
        count = weights.sum() * (target.numel() / weights.numel())
        self._divisor = divisor(reduction, energy, count, floor)

    def __call__(self, values: Tensor, part: Callable[[Tensor], Tensor] = _all) -> Tensor:
        """The error of all values or, added up over tiles, of those of a part.

        Args:
            values: of the target's shape, or of that of its part.
            part: cuts the same part out of target and weights.
        """
        error = values - part(self._target)
        return weighted_squares(error, part(self._weights)) / self._divisor


def weighted_squares(values: Tensor, weights: Tensor) -> Tensor:
    """``sum(w x²)``, with weights that are broadcast to the values and have no gradient."""
    return _WeightedSquares.apply(values, weights)  # type: ignore[no-untyped-call]


class _WeightedSquares(torch.autograd.Function):
    """Three passes over memory, or two with a single weight for all.

    Automatic differentiation takes eight and mixes layouts.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor) -> Tensor:
        ctx.alike = weights.numel() == 1
        weighted = values if ctx.alike else values * weights
        ctx.save_for_backward(weighted, weights)
        # Both in the order in which one of them lies in memory.
        if weighted.ndim == 4 and weighted.is_contiguous(memory_format=torch.channels_last):
            values, weighted = values.permute(0, 2, 3, 1), weighted.permute(0, 2, 3, 1)
        squares = values.flatten().dot(weighted.flatten())
        return squares * weights.reshape(()) if ctx.alike else squares

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        weighted, weights = ctx.saved_tensors
        slope = 2 * gradient * weights.reshape(()) if ctx.alike else 2 * gradient
        return slope * weighted, None


def divisor(reduction: Reduction, energy: Tensor, count: Tensor, floor: float) -> Tensor:
    """What a weighted sum of squares is divided by.

    Args:
        reduction: ``relative``, ``mean`` or ``sum``.
        energy: the same sum for what it is relative to.
        count: the sum of the weights.
        floor: see `SquaredError`.

    Returns:
        A scalar above 0.
    """
    if reduction == "sum":
        return torch.ones_like(count)
    scale = count if reduction == "mean" else torch.maximum(energy, floor * count)
    return scale.clamp(min=torch.finfo(scale.dtype).tiny)
