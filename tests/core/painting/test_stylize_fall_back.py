"""What is done when memory runs out, or a gradient leaves the range of float16."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from instyle_core import InstyleError
from instyle_core.config.optimizer import Adam
from instyle_core.config.plan import ObjectPlan
from instyle_core.config.select import Select
from instyle_core.config.spec import Spec, Style
from instyle_core.errors import PluginError
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.optimization.optimize import Outcome
from instyle_core.painting.crop import Crop
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, picture
from instyle_losses.params import ContentParams, StyleParams

CPU = torch.device("cpu")
SIDE = 320


class PixelParams(ExtractorParams):
    local: bool = True

    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}

    def reach(self, layer: str) -> int | None:
        return 0 if self.local else None


class Small(PixelExtractor):
    """Has memory for so many pixels."""

    def __init__(self, most: float, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        super().__init__()
        self.most = most
        self.error = error

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        if images[0, 0].numel() > self.most:
            raise self.error("DefaultCPUAllocator: can't allocate memory")
        return super().extract(images, layers)


def loss(name: str, params: ContentParams | StyleParams, weight: float = 1.0) -> Use:
    factory = f"instyle_losses.{name}:{name.title()}Loss"
    return Use(Plugin("loss", name, type(params), factory, "a loss"), params, weight)


LOSSES = (
    loss("content", ContentParams(extractor="pixels", layers=("cells",))),
    loss("style", StyleParams(extractor="pixels", layers=("cells",)), 3.0),
)


def repaint(
    extractor: FeatureExtractor, params: PixelParams, notes: list[str]
) -> tuple[Outcome, list[float]]:
    """Some steps at two sizes, and the objective at each."""
    spec = Spec.model_construct(
        size=SIDE, start="content", optimizer=Adam(steps=6, scales=2), margin=0.0
    )

    plan = ObjectPlan(
        LOSSES[0], Select(), Style.model_construct(weights=None, scale=1.0), LOSSES, LOSSES[0]
    )
    everything = torch.ones(1, SIDE, SIDE)
    crop = Crop(picture(SIDE, SIDE, seed=1), everything, everything, [picture(SIDE, SIDE, seed=2)])
    values: list[float] = []
    networks = Networks({"pixels": extractor}, CPU, torch.float32, {"pixels": params})
    outcome = stylize(
        crop,
        plan,
        spec,
        networks,
        lambda progress: values.append(sum(progress.terms.values())),
        on_note=notes.append,
    )
    return outcome, values


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_tiles_come_to_the_rescue(error: type[RuntimeError]) -> None:
    notes: list[str] = []
    whole, expected = repaint(Small(math.inf), PixelParams(), notes)
    assert notes == []
    tiled, values = repaint(Small(SIDE * SIDE / 3, error), PixelParams(), notes)
    assert notes == ["memory has run out; continuing in tiles of 160 pixels"]
    assert values == pytest.approx(expected, rel=1e-5)
    assert whole.picture is not None
    assert tiled.picture is not None
    # Adam's first steps go by the sign of a slope, which rounding may turn where it is near 0.
    assert float((tiled.picture - whole.picture).abs().mean()) < 1e-4


def test_where_there_is_no_other_way_the_error_says_so() -> None:
    for extractor, params in ((Small(10), PixelParams()), (Small(9000), PixelParams(local=False))):
        with pytest.raises(InstyleError, match="not enough memory for") as caught:
            repaint(extractor, params, [])
        assert "smaller `size`" in (caught.value.hint or "")


def test_other_errors_are_not_taken_for_it() -> None:
    class Broken(PixelExtractor):
        def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
            raise RuntimeError("the network is broken")

    with pytest.raises(PluginError, match="the network is broken"):
        repaint(Broken(), PixelParams(), [])


# --- float16 --------------------------------------------------------------------------------------


class Mixing(nn.Module, FeatureExtractor):
    """A convolution with powers of two for weights, which every precision holds."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False)
        self.convolution.weight.copy_(torch.arange(12).reshape(4, 3, 1, 1).sub(6).sign() * 0.5)

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        return dict.fromkeys(layers, self.convolution(images))


@pytest.mark.parametrize("factor", [1e-12, 1e-7, 1.0])
def test_gradients_that_float16_cannot_hold(factor: float) -> None:
    image = picture(8, 8)[None].requires_grad_()
    mask = MaskPyramid(torch.ones(1, 1, 8, 8))

    def slope(precision: torch.dtype, scale: float) -> Tensor:
        stack = FeatureStack({"net": Mixing()}, [{"net": ["x"]}], CPU, precision)
        stack.gradient_scale = scale
        maps = stack.view(image, mask).features("net", "x")
        return torch.autograd.grad(factor * maps.sum(), image)[0]

    exact = slope(torch.float32, 1.0)
    torch.testing.assert_close(
        slope(torch.float16, 2.0 ** round(-math.log2(factor))), exact, rtol=1e-3, atol=0
    )
    if factor == 1e-12:
        assert not slope(torch.float16, 1.0).any()  # so that the scale is what makes it right
