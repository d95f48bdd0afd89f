"""The depth loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import Loss, Targets, View
from instyle_midas.params import LAYER, DepthParams

#: An object counts as flat if the standard deviation of its depth is below this fraction of that of
#: the whole view: normalized to 1, it would be little but the network's noise.
FLAT = 0.01

#: The standard deviation below which anything is flat. It only avoids a division by zero.
ZERO = 1e-12


class DepthLoss(Loss):
    """The photo's inverse relative depth, compared pixel by pixel within the object.

    ``L = sum_p m_p (e_p - t_p)² / D`` with the mask m (1, 1, H, W) and the maps e (1, 1, H, W) of
    the picture and t of the photo, each `normalized` over the object unless ``normalize`` is false.
    D by reduction: ``relative``, ``sum_p m_p t_p²``; ``mean``, ``sum_p m_p``; ``sum``, 1.

    Depth from a single picture is known only up to a scale and a shift. Each map is normalized to a
    mean of 0 and a standard deviation of 1 over the object, so that the loss depends on neither:
    ``e`` may be any ``a t + b`` with a > 0. It is then ``2 (1 - r)`` with the correlation r of the
    two maps: in [0, 4], 0 for the same relief, 2 for an unrelated and 4 for an inverted one.
    Ranftl et al. take median and mean absolute deviation, since measured depth has outliers; here
    both maps are predictions, and mean and deviation have a smooth gradient to every pixel.

    The authors' own code computed the term without a gradient, so that it had no effect. Their
    weight of 1e4 is for DPT-Large with ``normalize: false`` and ``reduction: sum``. Values of
    DPT-Hybrid are about a hundred times as large, and their squares ten thousand times.

    Where there is no object, or a single pixel of it, the loss is 0 with `normalize`.

    Source: Zhao and Zhang, section on style transfer; Liu et al. 2017, "Depth-aware Neural Style
    Transfer"; Ranftl et al. 2020, arXiv:1907.01341, equations 6 and 7, for the normalization.
    """

    def __init__(self, params: DepthParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        depth = self._depth(targets.content).detach()
        self._weights = targets.content.mask(depth.shape[-2:]).expand_as(depth)
        self._flat = (FLAT * depth.std(correction=0)).clamp(min=ZERO)
        self._target = self._compared(depth)
        count = self._weights.sum()
        energy = (self._weights * self._target.square()).sum()
        self._divisor = {
            # The target of a flat object has less energy than that of another, and its errors must
            # not count for more.
            "relative": count if self._params.normalize else torch.maximum(energy, ZERO * count),
            "mean": count,
            "sum": torch.ones_like(count),
        }[self._params.reduction].clamp(min=torch.finfo(count.dtype).tiny)

    def __call__(self, view: View) -> Tensor:
        error = self._compared(self._depth(view)) - self._target
        return (self._weights * error.square()).sum() / self._divisor

    def _depth(self, view: View) -> Tensor:
        return view.features(self._params.extractor, LAYER)

    def _compared(self, depth: Tensor) -> Tensor:
        if not self._params.normalize:
            return depth
        return normalized(depth, self._weights, self._flat)


def normalized(depth: Tensor, weights: Tensor, flat: Tensor) -> Tensor:
    """A map with its scale and shift removed: ``(d - mean(d)) / max(std(d), flat)``.

    Args:
        depth: d, of any shape.
        weights: of the same shape, at least 0; mean and standard deviation are weighted by them.
        flat: the least that is divided by, in the unit of the map; above 0.

    Returns:
        The same shape; finite, whatever the weights are.
    """
    total = weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    centered = depth - (weights * depth).sum() / total
    variance = (weights * centered.square()).sum() / total
    return centered / variance.clamp(min=flat.square()).sqrt()
