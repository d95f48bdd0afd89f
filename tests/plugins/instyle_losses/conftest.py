"""What the tests of all losses need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Loss, LossParams, Targets, testing

Evaluate = Callable[..., float]


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
