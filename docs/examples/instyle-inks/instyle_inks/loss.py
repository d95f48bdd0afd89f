"""The loss ``inks``."""

from __future__ import annotations

import torch
from instyle_core import Loss, Targets, View
from kornia.color import rgb_to_lab
from torch import Tensor

from instyle_inks.params import InksParams

#: The distance in CIELAB that is just noticeable; a photo whose colors are nearer than that to the
#: style's counts as this far away.
NOTICEABLE = 2.3

#: The variance that is added under each root, in CIELAB squared: a root has no slope at 0.
ROUNDING = 1e-4


class InksLoss(Loss):
    """The means and standard deviations of the object's colors, compared with the style's.

    ``D(x) = sum_c w_c ((mean_c(x) - mean_c(style))² + spread (sd_c(x) - sd_c(style))²)`` over the
    channels L, a and b of CIELAB, with ``w = (lightness, 1, 1)``. Several styles are taken for one
    set of pixels, each weighted. The loss is ``D(x) / max(D(photo), NOTICEABLE²)``: it begins at 1,
    so that its weight means the same for any photo and style, and does not depend on their sizes.

    Source: Reinhard, Ashikhmin, Gooch and Shirley 2001, "Color Transfer between Images", which sets
    the two equal. Their own color space has a logarithm, and so no value for black; CIELAB does,
    and its channels too are nearly independent.
    """

    def __init__(self, params: InksParams) -> None:
        self._lightness = params.lightness
        self._spread = params.spread

    def prepare(self, targets: Targets) -> None:
        moments = torch.stack([_moments(style) for style in targets.styles])
        weights = moments.new_tensor(targets.style_weights)
        self._mean, self._deviation = _statistics(torch.einsum("s,smc->mc", weights, moments))
        self._unit = self._distance(targets.content).clamp(min=NOTICEABLE**2)

    def __call__(self, view: View) -> Tensor:
        return self._distance(view) / self._unit

    def _distance(self, view: View) -> Tensor:
        mean, deviation = _statistics(_moments(view))
        squares = (mean - self._mean).square() + self._spread * (
            deviation - self._deviation
        ).square()
        return squares @ squares.new_tensor([self._lightness, 1.0, 1.0])


def _moments(view: View) -> Tensor:
    """The means over the object of the channels and of their squares, (2, 3)."""
    lab = rgb_to_lab(view.image)
    mask = view.mask()
    powers = torch.cat([lab, lab.square()])  # (2, 3, H, W)
    return (mask * powers).sum(dim=(2, 3)) / mask.sum().clamp(min=1e-6)


def _statistics(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard deviations, (3,) each."""
    mean, mean_square = moments
    return mean, ((mean_square - mean.square()).clamp(min=0) + ROUNDING).sqrt()
