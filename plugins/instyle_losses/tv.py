"""The total variation loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import Loss, Targets, View
from instyle_losses.params import TVParams
from instyle_losses.reduction import reducing_factor, weighted_squares

#: The mean squared difference of neighbors below which a photo counts as flat: 1/100 of the range
#: from black to white, 2.5 of 255 levels. Ordinary photos have ten times as much and more.
FLAT = 0.01**2


class TVLoss(Loss):
    """The squared differences of neighboring pixels within the object.

    ``L = sum_c sum_pq m_p m_q (x_cp - x_cq)² / D`` over all pairs p, q of horizontal or vertical
    neighbors, with the picture x (1, 3, H, W) in [0, 1], the mask m (1, 1, H, W), and D by
    reduction: ``relative``, the same sum for the photo, but at least `FLAT` for each pair and
    channel; ``mean``, the weight of all pairs and channels; ``sum``, 1.

    It is zero for a flat picture, not for the photo. Total variation proper has absolute values
    (beta = 1); squares (beta = 2) are smooth at zero and leave no spikes where a network pools.

    Source: Mahendran and Vedaldi 2015, "Understanding Deep Image Representations by Inverting
    Them", the regularizer of total variation, with beta = 2; after Rudin, Osher and Fatemi 1992.
    """

    def __init__(self, params: TVParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        image, mask = targets.content.image.detach(), targets.content.mask()
        self._weights = {
            -2: mask[..., 1:, :] * mask[..., :-1, :],
            -1: mask[..., :, 1:] * mask[..., :, :-1],
        }
        count = image.shape[1] * torch.stack([w.sum() for w in self._weights.values()]).sum()
        energy = self._variation(image, torch.ones_like(count))
        self._factor = reducing_factor(self._params.reduction, energy, count, FLAT)

    def __call__(self, view: View) -> Tensor:
        return self._variation(view.image, self._factor)

    def _variation(self, image: Tensor, factor: Tensor) -> Tensor:
        sums = [
            weighted_squares(image.diff(dim=dim), weight, factor)
            for dim, weight in self._weights.items()
        ]
        return torch.stack(sums).sum()
