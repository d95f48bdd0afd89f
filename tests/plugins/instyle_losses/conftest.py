"""What the tests of all losses need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Loss, LossParams, SummedLoss, Targets, testing
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_vgg.params import VGG19Params
from tests.core.helpers.narrow_vgg import image_of, narrow

Evaluate = Callable[..., float]

#: The value of a loss, and its gradient to the pixels.
Measured = tuple[float, Tensor]
InTiles = Callable[[Callable[[Any], SummedLoss], LossParams], tuple[Measured, Measured]]


@pytest.fixture(autouse=True)
def seed() -> None:
    """Losses that draw random numbers draw the same ones in each run of the tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def evaluate() -> Evaluate:
    """The value of a loss: prepared on a photo and styles, asked about another picture.

    Feature maps are those of `testing.PixelExtractor`.
    """

    def evaluate(
        factory: Callable[[LossParams], Loss],
        params: LossParams,
        photo: Tensor,
        picture: Tensor,
        mask: Tensor,
        *,
        styles: Sequence[Tensor] = (),
        style_weights: Sequence[float] = (),
        stride: int = 2,
    ) -> float:
        def view(image: Tensor, mask: Tensor) -> testing.PictureView:
            return testing.view(image, mask, params, stride=stride)

        style_views = tuple(view(style, torch.ones_like(style[:1])) for style in styles)
        loss = factory(params)
        loss.prepare(Targets(view(photo, mask), style_views, tuple(style_weights)))
        return float(loss(view(picture, mask)))

    return evaluate


@pytest.fixture(scope="session")
def photo() -> Tensor:
    return testing.picture(24, 32, seed=1).double()


@pytest.fixture(scope="session")
def picture() -> Tensor:
    """The same as a noisy painting would be."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 24, 32, generator=generator, dtype=torch.float64)
    return 0.7 * testing.picture(24, 32, seed=2).double() + 0.3 * noise


@pytest.fixture(scope="session")
def mask() -> Tensor:
    """A soft object that leaves most cells partly covered, and some empty."""
    generator = torch.Generator().manual_seed(1)
    soft = torch.rand(1, 24, 32, generator=generator, dtype=torch.float64)
    return soft * testing.disc(24, 32, radius=0.45).decision


@pytest.fixture(scope="session")
def enlarge() -> Callable[[Tensor], Tensor]:
    """Twice as large, each pixel four times."""
    return lambda image: F.interpolate(image[None], scale_factor=2, mode="nearest")[0]


@pytest.fixture(scope="session")
def in_tiles() -> InTiles:
    """A loss that draws random numbers, in tiles and as a whole, with the same numbers.

    Photo and style are prepared in tiles and as a whole, too.
    """
    size, style_size = (149, 90), (120, 131)  # multiples of no stride, and larger than a tile
    network = narrow()
    soft = F.avg_pool2d(testing.disc(*size, radius=0.45).decision[None].double(), 9, 1, 4)
    masks = MaskPyramid(soft, [1, 2, 4])
    everywhere = MaskPyramid(torch.ones(1, 1, *style_size, dtype=torch.float64), [1, 2, 4])

    def measure(
        factory: Callable[[Any], SummedLoss], params: LossParams, tile: int
    ) -> tuple[float, Tensor]:
        reads = [params.reads() or {"vgg19": ["relu1_1"]}]
        stack = FeatureStack(
            {"vgg19": network},
            reads,
            torch.device("cpu"),
            params={"vgg19": VGG19Params()},
            tile=tile,
        )
        assert (len(stack.tiles(size)) > 4) == (len(stack.tiles(style_size)) > 4) == bool(tile)
        torch.manual_seed(0)
        loss = factory(params)
        style = stack.target(image_of(style_size, 2), everywhere)
        with torch.no_grad():
            loss.prepare(Targets(stack.target(image_of(size, 1), masks), (style,), (1.0,)))
        image = image_of(size, 4).requires_grad_()
        (sums,) = stack.sums([loss], image, masks)
        value = loss.value(sums)
        return float(value.detach()), torch.autograd.grad(value, image)[0]

    return lambda factory, params: (measure(factory, params, 48), measure(factory, params, 0))
