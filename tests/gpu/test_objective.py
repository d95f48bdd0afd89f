"""The gradient of each loss to the pixels, against the processor's in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import FeatureExtractor, Loss, LossParams, Targets
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.testing import disc
from instyle_losses.content import ContentLoss
from instyle_losses.laplacian import LaplacianLoss
from instyle_losses.palette import PaletteLoss
from instyle_losses.params import (
    ContentParams,
    LaplacianParams,
    PaletteParams,
    SelfSimilarityParams,
    StyleParams,
    TransportParams,
    TVParams,
)
from instyle_losses.self_similarity import SelfSimilarityLoss
from instyle_losses.style import StyleLoss
from instyle_losses.transport import TransportLoss
from instyle_losses.tv import TVLoss
from instyle_midas.depth import DepthLoss
from instyle_midas.midas import Midas
from instyle_midas.params import DepthParams, MidasParams
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

pytestmark = pytest.mark.gpu

CPU = torch.device("cpu")
HEIGHT, WIDTH = 80, 96


#: Random numbers differ between devices: all cells are drawn, and these are the directions.
def fixed_directions(size: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    drawn = torch.randn(64, size, generator=generator, dtype=torch.float64)
    return F.normalize(drawn, dim=1).to(like)


class FixedTransport(TransportLoss):
    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        self._directions = [fixed_directions(each.shape[1], each) for each in sums]
        return super().value(sums)


class FixedPalette(PaletteLoss):
    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        self._directions = fixed_directions(3, sums[0])
        return super().value(sums)


Made = tuple[Callable[..., Loss], LossParams]
LOSSES: dict[str, Made] = {
    "content": (ContentLoss, ContentParams()),
    "style": (StyleLoss, StyleParams()),
    "laplacian": (LaplacianLoss, LaplacianParams()),
    "tv": (TVLoss, TVParams()),
    "depth": (DepthLoss, DepthParams()),
    "transport": (FixedTransport, TransportParams(samples=65536)),
    "palette": (FixedPalette, PaletteParams(samples=65536)),
    "self-similarity": (SelfSimilarityLoss, SelfSimilarityParams(samples=65536)),
}

Networks = Mapping[str, FeatureExtractor]
Pictures = Callable[[int, int, int], Tensor]
Slope = tuple[float, Tensor]


@pytest.fixture(scope="module")
def networks(depth_network: Path) -> Callable[[torch.device, torch.dtype], Networks]:
    def load(device: torch.device, dtype: torch.dtype) -> Networks:
        midas = Midas(MidasParams(model=str(depth_network)))
        return {
            "vgg19": VGG19(VGG19Params()).to(device, dtype),
            "midas": midas.to(device, dtype),
        }

    return load


def slope(
    name: str, networks: Networks, pictures: Pictures, like: Tensor, precision: torch.dtype
) -> Slope:
    """The value of a loss, and its gradient to the pixels, (1, 3, H, W), on the processor.

    Args:
        name: of the loss.
        networks: its extractors.
        pictures: make the photo, the style and the picture.
        like: has the device and type of all that is not computed in low precision.
        precision: of the networks.
    """
    factory, params = LOSSES[name]
    of_networks = {"vgg19": VGG19Params(), "midas": MidasParams()}
    stack = FeatureStack(networks, [params.reads()], like.device, precision, params=of_networks)
    soft = F.avg_pool2d(disc(HEIGHT, WIDTH).decision[None], 9, stride=1, padding=4).to(like)
    mask, everywhere = MaskPyramid(soft), MaskPyramid(torch.ones_like(soft))
    photo, style, picture = (pictures(HEIGHT, WIDTH, seed)[None].to(like) for seed in (1, 2, 3))
    picture.requires_grad_()
    loss = factory(params)
    with torch.no_grad():
        loss.prepare(Targets(stack.target(photo, mask), (stack.target(style, everywhere),), (1.0,)))
    while True:
        value = loss(stack.view(picture, mask))
        (gradient,) = torch.autograd.grad(value, picture)
        if gradient.isfinite().all() or precision != torch.float16:
            return float(value.detach()), gradient.cpu().double()
        stack.gradient_scale /= 16  # as a run does


@pytest.fixture(scope="module")
def exact(
    networks: Callable[[torch.device, torch.dtype], Networks], grainy: Pictures
) -> dict[str, Slope]:
    double = torch.zeros(1, dtype=torch.float64)
    reference = networks(CPU, torch.float64)
    return {name: slope(name, reference, grainy, double, torch.float32) for name in LOSSES}


@pytest.fixture(scope="module")
def computed(
    device: torch.device, networks: Callable[[torch.device, torch.dtype], Networks]
) -> Networks:
    return networks(device, torch.float32)


# A ReLU that rounding turns on or off, or a maximum that it moves to another pixel, has another
# slope. There are fewer of them the less is rounded: the error of a gradient goes with the root of
# that. On a processor, the largest were 0.0003 (float32), 0.06 (float16) and 0.12 (bfloat16), and
# values were off by 4e-6, 0.006 and 0.015. TensorFloat-32 rounds as float16 does. The bounds are
# two to three times as much, but for float32: a GPU adds up in another order, and may convolve by
# Winograd's algorithm, which is a hundred times less exact.
BOUNDS = {
    "float32": (1e-4, 0.01),
    "tf32": (0.02, 0.15),
    "float16": (0.02, 0.15),
    "bfloat16": (0.05, 0.35),
}


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_float64(
    name: str,
    precision: str,
    computed: Networks,
    exact: dict[str, Slope],
    device: torch.device,
    grainy: Pictures,
    tf32: Callable[[bool], AbstractContextManager[None]],
) -> None:
    kind = torch.float32 if precision == "tf32" else getattr(torch, precision)
    with tf32(precision == "tf32"):
        value, gradient = slope(name, computed, grainy, torch.zeros(1, device=device), kind)
    # What reads no network is float32 in any precision.
    no_network = name in ("laplacian", "tv", "palette") and precision != "tf32"
    of_value, of_slope = BOUNDS["float32" if no_network else precision]
    expected, expected_gradient = exact[name]
    assert value == pytest.approx(expected, rel=of_value)
    assert float((gradient - expected_gradient).norm() / expected_gradient.norm()) < of_slope
