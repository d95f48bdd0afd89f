"""The palette loss."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import SummedLoss, Targets, View
from instyle_losses.params import PaletteParams
from instyle_losses.vectors import Cells, random_directions, sliced_distance, style_cells


class PaletteLoss(SummedLoss):
    """How far the object's colors are from lying as the style's do.

    ``L = mean_k W1(x d_k, s d_k)`` with the colors x (n, 3) of pixels of the object and s (m, 3) of
    the style, in [0, 1], and d and W1 as in `instyle_losses.transport.TransportLoss`: where all
    colors are off by a gray of g, it is about g.

    Source: Kolkin, Salavon and Shakhnarovich 2019, "Style Transfer by Relaxed Optimal Transport and
    Self-Similarity", equation 7, with the sliced distance in place of the relaxed one.
    """

    def __init__(self, params: PaletteParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        count = self._params.samples
        self._pixels = Cells(targets.content.mask(), count)
        masks = [style.mask() for style in targets.styles]
        pixels = style_cells(masks, targets.style_weights, count)
        colors = [style.at(own) for style, own in zip(targets.styles, pixels, strict=True)]
        self._colors = torch.cat(colors)

    def sums(self, view: View) -> tuple[Tensor, ...]:
        """The colors of the pixels that this step draws, (n, 3)."""
        self._directions = random_directions(view, self._params.directions, 3)
        return (view.at(self._pixels.draw(view)),)

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        return self._pixels.weight * sliced_distance(sums[0], self._colors, self._directions)
