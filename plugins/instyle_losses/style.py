"""The style loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from instyle_core import Loss, Targets, View
from instyle_losses.params import Gram, StyleParams
from instyle_losses.reduction import SquaredError


class StyleLoss(Loss):
    """The Gram matrices of the object, compared with those of the style pictures.

    ``L = sum_l v_l sum_ij (G_lij - A_lij)² / D_l`` with `gram_matrix` G (1, C, C) of the picture
    within the object at layer l, ``A = sum_k u_k G(style k)`` with the weights u of the styles, the
    weight v of the layer, and the divisor D of the reduction over the C² entries
    (`instyle_losses.reduction.SquaredError`).

    Source: Gatys, Ecker and Bethge 2016, "Image Style Transfer Using Convolutional Neural
    Networks", equations 3 to 5; Zhao and Zhang for ``gram: chw`` with the reduction ``sum``.
    """

    def __init__(self, params: StyleParams) -> None:
        self._params = params
        self._errors: dict[str, SquaredError] = {}

    def prepare(self, targets: Targets) -> None:
        for layer in self._params.layers:
            grams = [
                weight * self._gram(style, layer)
                for style, weight in zip(targets.styles, targets.style_weights, strict=True)
            ]
            target = torch.stack(grams).sum(dim=0)
            # Where there is no object, there is nothing to be like the style.
            weight = targets.content.mask().any().to(target)
            self._errors[layer] = SquaredError(
                target, weight.expand_as(target), self._params.reduction
            )

    def __call__(self, view: View) -> Tensor:
        errors = [
            weight * self._errors[layer](self._gram(view, layer))
            for layer, weight in self._params.weighted_layers()
        ]
        return torch.stack(errors).sum()

    def _gram(self, view: View, layer: str) -> Tensor:
        maps = view.features(self._params.extractor, layer)
        return gram_matrix(maps, view.mask(maps.shape[-2:]), self._params.gram)


def gram_matrix(maps: Tensor, mask: Tensor, gram: Gram = "mean") -> Tensor:
    """How often features occur together: ``G_ij = sum_p m_p F_ip F_jp / n``.

    Args:
        maps: F, (1, C, h, w).
        mask: m, (1, 1, h, w), in [0, 1]. The object may well cover less than one cell.
        gram: n is ``sum_p m_p`` for ``mean``, C times that for ``chw`` and 1 for ``sum``.

    Returns:
        (1, C, C), symmetric; zeros where the mask is zero everywhere.
    """
    if gram == "sum":
        weights = mask
    else:
        cells = mask.sum().clamp(min=torch.finfo(mask.dtype).tiny)
        weights = mask / (cells if gram == "mean" else maps.shape[1] * cells)
    return _WeightedGram.apply(maps, weights)  # type: ignore[no-untyped-call]


class _WeightedGram(torch.autograd.Function):
    """``G_ij = sum_p w_p F_ip F_jp`` with the gradient ``w_p sum_j (D_ij + D_ji) F_jp``.

    Automatic differentiation does not know that both factors are one, and takes two matrix products
    and two more passes over the maps for the same gradient.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(maps, weights)
        # Weights first: the sums over millions of cells stay of the size of one product.
        return (maps * weights).flatten(2) @ maps.flatten(2).mT

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        maps, weights = ctx.saved_tensors
        both, weighted = gradient + gradient.mT, (maps * weights).flatten(2)
        if maps.is_contiguous(memory_format=torch.channels_last):  # so should the gradient be
            product = (weighted.mT @ both).mT
        else:
            product = both @ weighted
        return product.unflatten(2, maps.shape[2:]), None
