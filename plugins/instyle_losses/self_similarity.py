"""The self-similarity loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import SummedLoss, Targets, View
from instyle_losses.params import SelfSimilarityParams
from instyle_losses.vectors import Cells, spread

#: How many times as many cells as a step compares are kept of the photo.
KEPT = 4

#: The mean distance at the least that distances are divided by: below, they are rounding errors.
LEAST = 1e-4


class SelfSimilarityLoss(SummedLoss):
    """How like and unlike one another the parts of the object are, compared with the photo.

    ``L = mean_l mean_j sum_i |X_ij / sum_i X_ij - P_ij / sum_i P_ij|`` with the cosine distances X
    (n, n) of the object's feature vectors from each other at layer l, and P of those of the photo
    at the same cells. The vectors themselves are free: what is alike in the photo has to be alike
    in the picture, and an eye may have any color that the fur around it does not have.

    Source: Kolkin, Salavon and Shakhnarovich 2019, "Style Transfer by Relaxed Optimal Transport and
    Self-Similarity", equation 8.
    """

    def __init__(self, params: SelfSimilarityParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        view, name, layers = targets.content, self._params.extractor, self._params.layers
        masks = [view.inside(name, layer, share=0) for layer in layers]
        kept = [Cells(mask, KEPT * self._params.samples) for mask in masks]
        self._weights = [cells.weight for cells in kept]
        self._cells = [cells.draw(view) for cells in kept]

        def vectors(view: View) -> tuple[Tensor, ...]:
            each = zip(self._cells, layers, strict=True)
            return tuple(view.at(cells, name, layer) for cells, layer in each)

        photo = view.summed(vectors, self._params.reads(), "vectors of the object")
        self._photo = [F.normalize(each, dim=1) for each in photo]

    def sums(self, view: View) -> tuple[Tensor, ...]:
        """The vectors of the cells that this step draws, (n, C) for each layer."""
        totals = [len(cells) for cells in self._cells]
        self._drawn = [spread(view, min(self._params.samples, total), total) for total in totals]
        layers = zip(self._cells, self._drawn, self._params.layers, strict=True)
        return tuple(view.at(c[i], self._params.extractor, layer) for c, i, layer in layers)

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        each = []
        layers = zip(sums, self._weights, self._photo, self._drawn, strict=True)
        for ours, weight, photo, drawn in layers:
            change = _distances(F.normalize(ours, dim=1)) - _distances(photo[drawn])
            each.append(weight * change.abs().sum(dim=0).mean())
        return torch.stack(each).mean()


def _distances(directions: Tensor) -> Tensor:
    """Cosine distances (n, n), each column divided by its sum."""
    distances = 1 - directions @ directions.T
    return distances / distances.sum(dim=0).clamp(min=LEAST * len(distances))
