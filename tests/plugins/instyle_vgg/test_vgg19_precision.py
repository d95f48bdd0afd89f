"""Low precision: the way that the pixels are told to go is nearly that of float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.interfaces.loss import Loss, Targets
from instyle_core.interfaces.params import LossParams
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.testing import disc, picture
from instyle_losses.content import ContentLoss
from instyle_losses.laplacian import LaplacianLoss
from instyle_losses.params import (
    ContentParams,
    LaplacianParams,
    SelfSimilarityParams,
    StyleParams,
    TransportParams,
)
from instyle_losses.self_similarity import SelfSimilarityLoss
from instyle_losses.style import StyleLoss
from instyle_losses.transport import TransportLoss
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

SIDE = 96
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
Term = tuple[Callable[..., Loss], LossParams, float]

#: Those that read a single layer, those of a spec that follows Gatys et al., and those that draw
#: cells and directions.
TERMS: dict[str, Sequence[Term]] = {
    **{f"style of {layer}": [(StyleLoss, StyleParams(layers=(layer,)), 1.0)] for layer in LAYERS},
    **{
        f"content of {layer}": [(ContentLoss, ContentParams(layers=(layer,)), 1.0)]
        for layer in LAYERS
    },
    "all": [
        (ContentLoss, ContentParams(), 1.0),
        (StyleLoss, StyleParams(), 10.0),
        (LaplacianLoss, LaplacianParams(), 1.0),
    ],
    "transport": [(TransportLoss, TransportParams(), 1.0)],
    "self-similarity": [(SelfSimilarityLoss, SelfSimilarityParams(), 1.0)],
}
FAINT: Sequence[Term] = [(StyleLoss, StyleParams(layers=("relu3_1",)), 1e-4)]
ALL = {**TERMS, "faint": FAINT}


@cache
def network() -> VGG19:
    return VGG19(VGG19Params())


def soft() -> Tensor:
    return F.avg_pool2d(disc(SIDE, SIDE).decision[None], 9, stride=1, padding=4)


def image_of(seed: int, grain: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(3, SIDE, SIDE, generator=generator)
    return ((1 - grain) * picture(SIDE, SIDE, seed=seed) + grain * noise)[None]


@cache
def gradients(
    grain: float, precision: torch.dtype, scale: float = 2.0**13, terms: tuple[str, ...] = (*TERMS,)
) -> dict[str, tuple[float, Tensor]]:
    """The values of terms of the objective, and their gradients to the pixels.

    The networks run once for all terms.
    """
    stack = FeatureStack(
        {"vgg19": network()},
        [params.reads() for term in terms for _, params, _ in ALL[term]],
        torch.device("cpu"),
        precision,
        params={"vgg19": VGG19Params()},
    )
    stack.gradient_scale = scale
    object_, everywhere = MaskPyramid(soft()), MaskPyramid(torch.ones(1, 1, SIDE, SIDE))
    photo, style, image = (image_of(seed, grain) for seed in (1, 2, 3))
    targets = Targets(stack.target(photo, object_), (stack.target(style, everywhere),), (1.0,))
    image.requires_grad_()
    view = stack.view(image, object_)
    found = {}
    for term in terms:
        torch.manual_seed(0)  # the same cells and directions in all precisions
        total = torch.zeros(())
        for factory, own, weight in ALL[term]:
            loss = factory(own)
            with torch.no_grad():
                loss.prepare(targets)
            total = total + weight * loss(view)
        (slope,) = torch.autograd.grad(total, image, retain_graph=True)
        found[term] = (float(total.detach()), slope)
    return found


def cosine(a: Tensor, b: Tensor) -> float:
    return float(F.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0))


# The smallest cosines that were measured, in all terms:
#              grain 0.2   grain 0
#   bfloat16     0.9964     0.839
#   float16      0.9996     0.984
# Shallow layers come out better, content of relu1_1 at 0.99999. Without grain, the pixels of a
# cell are so alike that rounding decides which of them is the largest, to which max pooling sends
# all of the gradient. Values were off by up to 0.7 %.
@pytest.mark.parametrize(
    ("precision", "grain", "bound"),
    [
        (torch.bfloat16, 0.2, 0.99),
        (torch.bfloat16, 0.0, 0.7),
        (torch.float16, 0.2, 0.999),
    ],
)
def test_the_gradient_points_the_same_way(
    precision: torch.dtype, grain: float, bound: float
) -> None:
    exact = gradients(grain, torch.float32)
    for term, (value, slope) in gradients(grain, precision).items():
        expected, expected_slope = exact[term]
        assert value == pytest.approx(expected, rel=0.02), term
        assert cosine(slope, expected_slope) > bound, term
        assert not torch.equal(slope, expected_slope), term  # or none was in low precision
        assert float(slope.norm() / expected_slope.norm()) == pytest.approx(1, abs=0.1), term


def test_a_scale_that_is_too_large_shows() -> None:
    """As float16 begins: the gradient overflows, and not to a number that is merely wrong."""
    term = "style of relu4_1"
    _, slope = gradients(0.2, torch.float16, 2.0**32, (term,))[term]
    assert not torch.isfinite(slope).all()


def test_a_faint_gradient_needs_the_scale() -> None:
    """As of the mean over a picture of 100 times the sides, which float16 by itself cuts to 0."""
    (_, slope), (_, unscaled), (_, expected) = (
        gradients(0.2, precision, scale, ("faint",))["faint"]
        for precision, scale in (
            (torch.float16, 2.0**24),
            (torch.float16, 1.0),
            (torch.float32, 2.0**13),
        )
    )
    assert cosine(slope, expected) > 0.999
    assert not unscaled.any()
