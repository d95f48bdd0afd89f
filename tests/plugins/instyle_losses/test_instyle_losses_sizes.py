"""Weights mean the same at every size: half of a painting laid over a photo."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import instyle_core
from instyle_core import Targets, testing
from instyle_core.images.picture import read_picture
from instyle_core.images.resize import resize
from instyle_core.painting.features import FeatureStack, PictureView
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_losses.laplacian import LaplacianLoss
from instyle_losses.palette import PaletteLoss
from instyle_losses.params import (
    LaplacianParams,
    PaletteParams,
    SelfSimilarityParams,
    TransportParams,
)
from instyle_losses.self_similarity import SelfSimilarityLoss
from instyle_losses.transport import TransportLoss
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

DEMO = Path(instyle_core.__file__).parent / "demo"

LOSSES = {
    "transport": (TransportLoss, TransportParams()),
    "palette": (PaletteLoss, PaletteParams()),
    "self-similarity": (SelfSimilarityLoss, SelfSimilarityParams()),
    "laplacian": (LaplacianLoss, LaplacianParams()),
}


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(VGG19Params())


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_change_at_another_size(network, name) -> None:
    factory, params = LOSSES[name]
    stack = FeatureStack(
        {"vgg19": network},
        [params.reads()],
        torch.device("cpu"),
        params={"vgg19": VGG19Params()},
    )
    strides = VGG19Params().layers().values()
    photo, painting = (read_picture(DEMO / file).pixels for file in ("cat.png", "swirls.jpg"))

    def value(side: int) -> float:
        def view(picture: Tensor, mask: Tensor) -> PictureView:
            return stack.view(picture[None], MaskPyramid(mask[None], strides))

        cat, style = (resize(picture, (side, side)) for picture in (photo, painting))
        ones, disc = torch.ones_like(cat[:1]), testing.disc(side, side, radius=0.4).decision
        loss = factory(params)
        loss.prepare(Targets(view(cat, disc), (view(style, ones),), (1.0,)))
        return float(sum(loss(view((cat + style) / 2, disc)) for _ in range(4)))

    with torch.no_grad():
        assert value(256) == pytest.approx(value(128), rel=0.2)
