"""Feature vectors of some cells of a picture's feature maps."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Targets, View
from instyle_losses.params import VectorParams


class Cells:
    """The cells of an object, of which some are drawn anew at each step.

    Attributes:
        weight: 1; 0 if no cell has a part in the object. Any cells are drawn then, so that a loss
            still has a gradient.

    Args:
        mask: of the object, (1, 1, h, w), at the resolution of a feature map.
        count: how many are drawn; all of them, if there are no more.
    """

    def __init__(self, mask: Tensor, count: int) -> None:
        inside = mask[0, 0] >= 0.5
        if not inside.any():  # an object of less than half a cell
            inside = mask[0, 0] > 0
        self.weight = float(inside.any())
        self._cells = (inside if self.weight else torch.ones_like(inside)).nonzero()
        self._count = min(count, len(self._cells))

    def draw(self, view: View) -> Tensor:
        """Row and column of each, (n, 2): one out of each of n equal shares, in reading order."""
        return self._cells[spread(view, self._count, len(self._cells))]


def spread(view: View, count: int, total: int) -> Tensor:
    """Indices below a total, (n,): a random one out of each of n equal shares."""
    random = view.random(count)
    starts = torch.arange(count, device=random.device) * total
    # Only what is beyond a whole number is in float32, whose steps are too large for all of it.
    beyond = starts % count / count + random * (total / count)
    return (starts // count + beyond.long()).clamp(max=total - 1)


def even_cells(mask: Tensor, count: int) -> Tensor:
    """Cells all over a map, (n, 2), evenly spread; all of them, if there are no more.

    Args:
        mask: (1, 1, h, w), of the size of the map.
        count: n.
    """
    if mask.numel() <= count:
        return torch.ones_like(mask[0, 0]).nonzero()
    sequence = torch.quasirandom.SobolEngine(2)  # type: ignore[no-untyped-call]
    evenly = sequence.draw(count + 1)[1:]  # the first is the corner
    return (evenly * torch.tensor(mask.shape[2:])).long().to(mask.device)


def style_cells(masks: Sequence[Tensor], weights: Sequence[float], count: int) -> list[Tensor]:
    """Cells all over the maps of several styles, (n, 2) for each, as many as their weights say.

    Where one has too few cells for its share, there are fewer of all of them.

    Args:
        masks: (1, 1, h, w) each, of the size of its map.
        weights: one for each; they sum to 1.
        count: how many cells there are in all, at the most.
    """
    pairs = [*zip(masks, weights, strict=True)]
    total = min(count, *(mask.numel() / weight for mask, weight in pairs if weight > 0))
    return [
        even_cells(mask, max(1, round(weight * total)) if weight > 0 else 0)
        for mask, weight in pairs
    ]


def style_vectors(targets: Targets, params: VectorParams) -> list[Tensor]:
    """For each layer, vectors of cells all over the styles, shared out by the styles' weights."""
    name, layers, weights = params.extractor, params.layers, targets.style_weights
    masks = [[style.inside(name, layer, share=0) for style in targets.styles] for layer in layers]
    cells = [style_cells(of_layer, weights, params.samples) for of_layer in masks]
    each = []
    for style, own in zip(targets.styles, zip(*cells, strict=True), strict=True):

        def vectors(view: View, own: Sequence[Tensor] = own) -> tuple[Tensor, ...]:
            return tuple(view.at(at, name, layer) for at, layer in zip(own, layers, strict=True))

        counts = [len(at) for at in own]
        if any(counts):
            each.append(style.summed(vectors, params.reads(), f"vectors of {counts} cells"))
    return [torch.cat(layer) for layer in zip(*each, strict=True)]


def random_directions(view: View, count: int, size: int) -> Tensor:
    """Directions of unit length, (count, size), evenly distributed over the sphere."""
    uniform = view.random(count, size).clamp(1e-6, 1 - 1e-6)
    return F.normalize(torch.special.ndtri(uniform), dim=1)


def sliced_distance(ours: Tensor, theirs: Tensor, directions: Tensor) -> Tensor:
    """The mean over directions of the Wasserstein distance of what is projected on them.

    ``mean_k W1(x d_k, y d_k)``; W1 of two sets of as many numbers is the mean difference of their
    sorted values. A set of another size is brought to that of ours along its sorted values.

    Source: Bonneel et al. 2015, "Sliced and Radon Wasserstein Barycenters of Measures".

    Args:
        ours: x, (n, C).
        theirs: y, (m, C).
        directions: d, (k, C).
    """
    to = directions.to(ours)
    # Rows are sorted faster than columns.
    a, b = ((to @ points.T).sort(dim=1).values for points in (ours, theirs))
    if len(ours) != len(theirs):
        b = F.interpolate(b[None], len(ours), mode="linear", align_corners=False)[0]
    return (a - b).abs().mean()
