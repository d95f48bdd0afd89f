"""The content loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import SummedLoss, Targets, View
from instyle_losses.params import ContentParams
from instyle_losses.reduction import SquaredError


class ContentLoss(SummedLoss):
    """The photo's feature maps, compared cell by cell within the object.

    ``L = sum_l v_l sum_cp m_lp (F_lcp - P_lcp)² / D_l`` with the feature maps F (1, C, h, w) of the
    picture and P of the photo at layer l, the mask m (1, 1, h, w) at that resolution, the weight v
    of the layer and the divisor D of the reduction (`instyle_losses.reduction.SquaredError`).

    Source: Gatys, Ecker and Bethge 2016, "Image Style Transfer Using Convolutional Neural
    Networks", equation 1, without its factor 1/2; Zhao and Zhang for the reduction ``sum``.
    """

    def __init__(self, params: ContentParams) -> None:
        self._params = params
        self._errors: list[SquaredError] = []

    def prepare(self, targets: Targets) -> None:
        self._errors = []
        for layer, share in self._params.weighted_layers():
            maps = targets.content.features(self._params.extractor, layer)
            mask = targets.content.mask(maps.shape[-2:])
            error = SquaredError(maps, mask, self._params.reduction, share=share)
            self._errors.append(error)

    def sums(self, view: View) -> tuple[Tensor, ...]:
        errors = [
            error(view.features(self._params.extractor, layer), view.part)
            for layer, error in zip(self._params.layers, self._errors, strict=True)
        ]
        return (torch.stack(errors).sum(),)

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        return sums[0]
