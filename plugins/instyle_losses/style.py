"""The style loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import SummedLoss, Targets, View
from instyle_losses.coverage import Coverage
from instyle_losses.gram import normalized_gram, weighted_gram
from instyle_losses.params import StyleParams
from instyle_losses.reduction import SquaredError


class StyleLoss(SummedLoss):
    """The Gram matrices of the object, compared with those of the style pictures.

    ``L = sum_l v_l sum_ij (G_lij - A_lij)² / D_l`` with the Gram matrix G (1, C, C) of the picture
    within the object at layer l (`instyle_losses.gram.gram_matrix`), ``A = sum_k u_k G(style k)``
    with the weights u of the styles, the weight v of the layer, and the divisor D of the reduction
    over the C² entries (`instyle_losses.reduction.SquaredError`).

    Source: Gatys, Ecker and Bethge 2016, "Image Style Transfer Using Convolutional Neural
    Networks", equations 3 to 5; Zhao and Zhang for ``gram: chw`` with the reduction ``sum``.
    """

    def __init__(self, params: StyleParams) -> None:
        self._params = params
        self._errors: list[SquaredError] = []
        self._everywhere = False
        self._coverages: dict[tuple[int, torch.Size], tuple[Tensor, Coverage]] = {}

    def prepare(self, targets: Targets) -> None:
        self._coverages = {}

        def sums(view: View) -> tuple[Tensor, ...]:
            return self._sums(view, everywhere=True)

        reads = self._params.reads()
        each = [self._grams(style.summed(sums, reads, "Gram matrices")) for style in targets.styles]
        mask = targets.content.mask()
        self._everywhere = bool((mask == 1).all())
        # Without an object, there is nothing to compare with the style.
        weight = mask.any().float()
        self._errors = []
        for (_, share), *grams in zip(self._params.weighted_layers(), *each, strict=True):
            weighted = [u * gram for u, gram in zip(targets.style_weights, grams, strict=True)]
            target = torch.stack(weighted).sum(dim=0)
            error = SquaredError(target, weight.to(target), self._params.reduction, share=share)
            self._errors.append(error)

    def sums(self, view: View) -> tuple[Tensor, ...]:
        """For each layer the Gram matrix before division, (1, C, C); then the cells of each."""
        return self._sums(view, everywhere=self._everywhere)

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        grams = self._grams(sums)
        errors = [error(gram) for error, gram in zip(self._errors, grams, strict=True)]
        return torch.stack(errors).sum()

    def _sums(self, view: View, *, everywhere: bool) -> tuple[Tensor, ...]:
        sums = []
        for layer in self._params.layers:
            maps = view.features(self._params.extractor, layer, raw=True)
            coverage = None
            if not everywhere:
                coverage = self._coverage(view.inside(self._params.extractor, layer))
            sums.append(weighted_gram(maps, coverage))
        return tuple(gram for gram, _ in sums) + tuple(cells for _, cells in sums)

    def _coverage(self, mask: Tensor) -> Coverage:
        """Made once for each mask: a mask keeps its address as long as its scale is worked on."""
        key = (mask.data_ptr(), mask.shape)
        if key not in self._coverages:
            # The mask is kept too: while it is, no other tensor can get its address.
            self._coverages[key] = mask, Coverage(mask)
        return self._coverages[key][1]

    def _grams(self, sums: tuple[Tensor, ...]) -> list[Tensor]:
        count = len(self._params.layers)
        pairs = zip(sums[:count], sums[count:], strict=True)
        return [normalized_gram(gram, cells, self._params.gram) for gram, cells in pairs]
