"""How squared errors, weighted by the object's mask, become one number."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_losses.params import Reduction

#: The mean square below which feature maps or Gram matrices count as zero. They have units of their
#: own, so that nothing can be said about what is faint: this only keeps from dividing by zero.
ZERO = 1e-12


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

    def __call__(self, values: Tensor) -> Tensor:
        return (self._weights * (values - self._target).square()).sum() / self._divisor


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
