"""The transport loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import SummedLoss, Targets, View
from instyle_losses.params import TransportParams
from instyle_losses.vectors import Cells, random_directions, sliced_distance, style_vectors


class TransportLoss(SummedLoss):
    """How far the object's feature vectors are from lying as the style's do.

    ``L = mean_l mean_k W1(F_l d_k, S_l d_k)`` with the feature vectors F (n, C) of cells of the
    object at layer l and S (m, C) of the style, both divided by the root of the mean square of
    S; with directions d of unit length, drawn anew at each step; and with the Wasserstein distance
    W1 of two sets of numbers, the mean difference of their sorted values. So vectors are matched
    one to one: all that the style has comes in, each in its share, and nothing else does. Gram
    matrices care for means and products alone, which quite other vectors may have as well.

    Source: Heitz, Vanhoey, Chambon and Belcour 2021, "A Sliced Wasserstein Loss for Neural Texture
    Synthesis"; Kolkin, Salavon and Shakhnarovich 2019, "Style Transfer by Relaxed Optimal Transport
    and Self-Similarity", for drawing cells.
    """

    def __init__(self, params: TransportParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        name, count = self._params.extractor, self._params.samples
        masks = [targets.content.inside(name, layer, share=0) for layer in self._params.layers]
        self._cells = [Cells(mask, count) for mask in masks]
        style = style_vectors(targets, self._params)
        self._units = [each.square().mean().sqrt().clamp(min=1e-12) for each in style]
        self._style = [each / unit for each, unit in zip(style, self._units, strict=True)]

    def sums(self, view: View) -> tuple[Tensor, ...]:
        """The vectors of the cells that this step draws, (n, C) for each layer."""
        name, count = self._params.extractor, self._params.directions
        self._directions = [random_directions(view, count, each.shape[1]) for each in self._style]
        layers = zip(self._cells, self._params.layers, strict=True)
        return tuple(view.at(cells.draw(view), name, layer) for cells, layer in layers)

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        layers = zip(sums, self._cells, self._units, self._style, self._directions, strict=True)
        each = [
            cells.weight * sliced_distance(ours / unit, style, directions)
            for ours, cells, unit, style, directions in layers
        ]
        return torch.stack(each).mean()
