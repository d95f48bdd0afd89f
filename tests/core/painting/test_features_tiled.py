"""Large pictures: computed in tiles, sums, gradients and targets are those of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from instyle_core.config.optimizer import Adam
from instyle_core.config.plan import ObjectPlan
from instyle_core.config.spec import Select, Spec, Style
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import Loss, SummedLoss, Targets, View
from instyle_core.interfaces.params import ExtractorParams, LossParams, Params, ReaderParams
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.crop import Crop
from instyle_core.painting.features import FeatureStack, MaskPyramid
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture
from instyle_losses.content import ContentLoss
from instyle_losses.params import ContentParams, LaplacianParams, StyleParams
from instyle_losses.style import StyleLoss
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

CPU = torch.device("cpu")
PARAMS = {"vgg19": VGG19Params()}

# No multiples of 16, and too large for a tile to see all, with 85 pixels around it for relu5_1.
SIZE = (331, 117)
STYLE_SIZE = (131, 340)


def narrow(*, channels: int = 4, dtype: torch.dtype = torch.float64, **params: Any) -> VGG19:
    """VGG-19 with all its layers and few channels, random, so that float64 is cheap."""
    network = VGG19(VGG19Params(**params))
    generator = torch.Generator().manual_seed(0)
    before = 3
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            weight = torch.randn(channels, before, 3, 3, generator=generator, dtype=dtype)
            bias = torch.randn(channels, generator=generator, dtype=dtype)
            layer.weight = nn.Parameter(weight * (2 / weight[0].numel()) ** 0.5, False)
            layer.bias = nn.Parameter(0.1 * bias, False)
            before = channels
    return network.to(CPU, dtype)


@pytest.fixture(scope="module")
def network() -> VGG19:
    return narrow()


class Recording(FeatureExtractor):
    """Runs another extractor, and remembers the sizes of what it is given."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.sizes: list[tuple[int, ...]] = []

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.sizes.append(tuple(images.shape[-2:]))
        return self._extractor.extract(images, layers)

    def to(self, device: torch.device, dtype: torch.dtype) -> Recording:
        return self


def soft(height: int, width: int) -> Tensor:
    """An object that leaves cells of every size partly covered, and some empty."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(1, 1, height, width, generator=generator, dtype=torch.float64)
    return noise * disc(height, width, radius=0.6).decision[None]


MASKS = {"soft": soft(*SIZE), "everywhere": torch.ones(1, 1, *SIZE, dtype=torch.float64)}


def image_of(size: tuple[int, int], seed: int) -> Tensor:
    """With noise, to which every cell answers: (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(3, *size, generator=generator, dtype=torch.float64)
    return (0.7 * picture(*size, seed=seed).double() + 0.3 * noise)[None]


def stack_of(
    extractor: FeatureExtractor, losses: Sequence[ReaderParams], tile: int, **more: Any
) -> FeatureStack:
    more = {"params": PARAMS, **more}
    reads = [params.reads() for params in losses]
    return FeatureStack({"vgg19": extractor}, reads, CPU, tile=tile, **more)


def targets_of(stack: FeatureStack, mask: Tensor) -> Targets:
    style = image_of(STYLE_SIZE, 2)
    return Targets(
        stack.target(image_of(SIZE, 1).to(mask), MaskPyramid(mask)),
        (stack.target(style.to(mask), MaskPyramid(torch.ones_like(style[:, :1]).to(mask))),),
        (1.0,),
    )


# --- how far a cell sees --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer", ["relu1_1", "conv1_2", "relu2_1", "relu3_4", "conv4_1", "relu5_1"]
)
def test_the_reach_is_as_far_as_a_cell_sees(layer: str) -> None:
    """By the gradient of one cell, where nothing can cancel or vanish by accident."""
    seeing = narrow(channels=2, pooling="average")
    for convolution in seeing.layers:
        if isinstance(convolution, nn.Conv2d):
            convolution.weight.abs_()
            convolution.bias.fill_(5)
    stride, reach = VGG19Params().layers()[layer], VGG19Params().reach(layer)
    side = 2 * (reach + 2 * stride) // 16 * 16 + 16
    image = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    row, column = side // stride // 2, side // stride // 2 - 1
    cell = seeing.extract(image, [layer])[layer][0, :, row, column].sum()
    (gradient,) = torch.autograd.grad(cell, image)
    seen = gradient[0].abs().sum(dim=0) > 0
    for pixels, index in ((seen.any(dim=1), row), (seen.any(dim=0), column)):
        first, *_, last = pixels.nonzero().flatten().tolist()
        farthest = max(index * stride - first, last + 1 - (index + 1) * stride)
        assert reach - stride < farthest <= reach


# --- sums and gradients ---------------------------------------------------------------------------


def total_and_gradient(
    values: Sequence[Tensor], image: Tensor, weights: Sequence[float] = (1.0, 3.0)
) -> tuple[list[float], Tensor]:
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    assert isinstance(total, Tensor)
    return [float(value.detach()) for value in values], torch.autograd.grad(total, image)[0]


def both_ways(
    network: FeatureExtractor, mask: Tensor, gram: str, tile: int, **more: Any
) -> tuple[tuple[list[float], Tensor], tuple[list[float], Tensor]]:
    """Values and gradients of content and style, in tiles and as a whole."""
    content = ContentParams(layers=("relu4_1", "relu2_1"))
    style = StyleParams(gram=gram)
    losses: list[SummedLoss] = [ContentLoss(content), StyleLoss(style)]
    stack = stack_of(network, [content, style], tile, **more)
    whole = stack_of(network, [content, style], 0)
    with torch.no_grad():
        for loss in losses:
            loss.prepare(targets_of(whole, mask))
    image, pyramid = image_of(SIZE, 4).requires_grad_(), MaskPyramid(mask)
    sums = stack.sums(losses, image, pyramid)
    tiled = [loss.value(own) for loss, own in zip(losses, sums, strict=True)]
    view = whole.view(image, pyramid)
    return (
        total_and_gradient(tiled, image),
        total_and_gradient([loss(view) for loss in losses], image),
    )


def assert_same(
    tiled: tuple[list[float], Tensor], whole: tuple[list[float], Tensor], tolerance: float = 1e-9
) -> None:
    assert tiled[0] == pytest.approx(whole[0], rel=tolerance)
    assert float((tiled[1] - whole[1]).norm() / whole[1].norm()) < tolerance
    # Not only on the whole: no pixel is off.
    assert float((tiled[1] - whole[1]).abs().max() / whole[1].abs().max()) < tolerance


@pytest.mark.parametrize(
    ("mask", "gram", "tile"),
    [
        ("soft", "mean", 64),
        ("soft", "chw", 96),
        ("soft", "sum", 100),
        ("everywhere", "mean", 96),
        ("everywhere", "sum", 64),
    ],
)
def test_tiles_give_the_same_sums_and_gradients(
    network: VGG19, mask: str, gram: str, tile: int
) -> None:
    recording = Recording(network)
    tiled, whole = both_ways(recording, MASKS[mask], gram, tile)
    assert min(whole[0]) > 0
    assert_same(tiled, whole)
    assert any(size[0] < SIZE[0] for size in recording.sizes)


def test_too_short_a_reach_would_show(network: VGG19) -> None:
    class ShortSighted(VGG19Params):
        def reach(self, layer: str) -> int:
            return 0

    params = {"vgg19": ShortSighted()}
    tiled, whole = both_ways(network, MASKS["soft"], "mean", 64, params=params)
    assert tiled[0] != pytest.approx(whole[0], rel=1e-6)


def test_a_picture_no_larger_than_a_tile_is_computed_at_once(network: VGG19) -> None:
    recording = Recording(network)
    tiled, whole = both_ways(recording, MASKS["soft"], "mean", 256)
    assert_same(tiled, whole, 1e-12)
    assert set(recording.sizes) == {SIZE, STYLE_SIZE}


def test_the_shipped_weights_in_float32() -> None:
    network = VGG19(VGG19Params())
    params = ContentParams(layers=("relu3_1", "relu1_2"))
    image = image_of((90, 101), 4).float().requires_grad_()
    pyramid = MaskPyramid(soft(90, 101).float())
    loss = ContentLoss(params)
    stack = stack_of(network, [params], 64)
    with torch.no_grad():
        photo = stack.view(image_of((90, 101), 1).float(), pyramid)
        loss.prepare(Targets(photo, (), ()))
    assert len(stack.tiles((90, 101))) == 4
    tiled = [loss.value(*stack.sums([loss], image, pyramid))]
    whole = [loss(stack.view(image, pyramid))]
    assert_same(
        total_and_gradient(tiled, image, [1.0]), total_and_gradient(whole, image, [1.0]), 1e-4
    )


# --- what is prepared -----------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [64, 96])
def test_targets_in_tiles_are_those_of_the_whole(network: VGG19, tile: int) -> None:
    content = ContentParams(layers=("relu4_1", "conv2_1"))
    style = StyleParams()
    recording = Recording(network)
    stack, whole = (
        stack_of(net, [content, style], t) for net, t in ((recording, tile), (network, 0))
    )
    with torch.no_grad():
        tiled, plain = (targets_of(s, MASKS["soft"]) for s in (stack, whole))
        for layer in content.layers:
            maps = tiled.content.features("vgg19", layer)
            torch.testing.assert_close(
                maps, plain.content.features("vgg19", layer), rtol=1e-10, atol=0
            )
        pairs = []
        for targets in (tiled, plain):
            (view,) = targets.styles
            loss = StyleLoss(style)
            pairs.append(view.summed(loss.sums, style.reads(), "Gram matrices"))
    assert not {SIZE, STYLE_SIZE} & set(recording.sizes)
    for sums in zip(*pairs, strict=True):
        torch.testing.assert_close(*sums, rtol=1e-10, atol=0)
    assert [float(cells) for cells in pairs[0][5:]] == [
        STYLE_SIZE[0] // stride * (STYLE_SIZE[1] // stride) for stride in (1, 2, 4, 8, 16)
    ]


# --- views ----------------------------------------------------------------------------------------


def test_a_tile_shows_its_own_part_of_everything(network: VGG19) -> None:
    params = StyleParams(layers=("relu1_1", "relu3_1"))
    stack = stack_of(network, [params], 64)
    image, pyramid = image_of(SIZE, 1), MaskPyramid(MASKS["soft"])
    whole = stack.view(image, pyramid)
    tiles = stack.tiles(SIZE)
    assert len(tiles) > 4
    for tile in tiles:
        view = stack.tile_view(image[tile.seen], pyramid, tile)
        assert torch.equal(view.image, image[tile.part(1)])
        assert torch.equal(view.part(image), view.image)
        assert torch.equal(view.mask(), MASKS["soft"][tile.part(1)])
        for layer, stride in (("relu1_1", 1), ("relu3_1", 4)):
            maps, expected = (v.features("vgg19", layer) for v in (view, whole))
            torch.testing.assert_close(maps, expected[tile.part(stride)], rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(view.part(expected), expected[tile.part(stride)])
            level = whole.mask(expected.shape[-2:])
            assert torch.equal(view.mask(maps.shape[-2:]), level[tile.part(stride)])
        with pytest.raises(ValueError, match="no layer has 7 x 5 cells of this tile"):
            view.mask((7, 5))
        with pytest.raises(ValueError, match="no layer has 7 x 5 cells"):
            view.part(torch.zeros(1, 1, 7, 5))


def test_a_whole_picture_is_its_own_part(network: VGG19) -> None:
    view = stack_of(network, [StyleParams()], 0).view(image_of(SIZE, 1), MaskPyramid(MASKS["soft"]))
    assert view.part(view.image) is view.image
    assert view.summed(lambda seen: (seen.image.sum(),), {}, "pixels") == (view.image.sum(),)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float32])
def test_raw_maps_are_as_the_network_gives_them(precision: torch.dtype) -> None:
    """Those of float16 are float32 already: that is how their gradient gets its scale."""
    network = narrow(dtype=torch.float32)
    reads = StyleParams(layers=("relu1_1",))
    stack = stack_of(network, [reads], 64, precision=precision)
    image, pyramid = image_of(SIZE, 1).float(), MaskPyramid(MASKS["soft"].float())
    tile = stack.tiles(SIZE)[0]
    for view in (stack.view(image, pyramid), stack.tile_view(image[tile.seen], pyramid, tile)):
        raw, wide = (view.features("vgg19", "relu1_1", raw=raw) for raw in (True, False))
        assert raw.dtype == (torch.float32 if precision == torch.float16 else precision)
        assert wide.dtype == torch.float32
        assert torch.equal(raw.float(), wide)


# --- what cannot be computed in tiles -------------------------------------------------------------


class BlindParams(ExtractorParams):
    """Says nothing of how far its layers reach."""

    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}


class WholeParams(LossParams):
    extractor: str = "vgg19"
    layer: str = "relu2_1"

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: [self.layer]}


class Whole(Loss):
    """The variance of a map over all of the picture: not a sum over cells."""

    def __init__(self, params: WholeParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        maps = targets.content.features(self._params.extractor, self._params.layer)
        self._unit = maps.square().mean()

    def __call__(self, view: View) -> Tensor:
        return view.features(self._params.extractor, self._params.layer).var() / self._unit


def test_only_an_extractor_that_knows_its_reach_gets_tiles(network: VGG19) -> None:
    blind, seeing = WholeParams(extractor="blind", layer="cells"), WholeParams()
    reads = [blind.reads(), seeing.reads()]
    both = {"blind": PixelExtractor(), "vgg19": network}
    params = {"blind": BlindParams(), **PARAMS}
    assert len(FeatureStack(both, reads, CPU, params=params, tile=64).tiles(SIZE)) > 1
    for known in ({"blind": BlindParams()}, {}):
        alone = FeatureStack(both, reads[:1], CPU, params=known, tile=64)
        assert len(alone.tiles(SIZE)) == 1
        assert not alone.is_local(blind.reads())
        maps = alone.target(image_of(SIZE, 1), MaskPyramid(MASKS["soft"])).features(
            "blind", "cells"
        )
        assert maps.shape[-2:] == (SIZE[0] // 2, SIZE[1] // 2)


# --- a whole optimization -------------------------------------------------------------------------


def use(kind: Any, name: str, params: Params, factory: str, weight: float = 1) -> Use:
    return Use(Plugin(kind, name, type(params), factory, "a test's"), params, weight)


SUMMED = [
    use(
        "loss", "content", ContentParams(layers=("relu2_1",)), "instyle_losses.content:ContentLoss"
    ),
    use(
        "loss",
        "style",
        StyleParams(layers=("relu1_1", "relu2_2")),
        "instyle_losses.style:StyleLoss",
        5,
    ),
    use("loss", "laplacian", LaplacianParams(), "instyle_losses.laplacian:LaplacianLoss"),
]
UNSUMMED = [
    *SUMMED,
    use("loss", "whole", WholeParams(), f"{__name__}:Whole"),
    use("loss", "blind", WholeParams(extractor="blind", layer="cells"), f"{__name__}:Whole"),
]


def terms_of_each_step(tile: int, losses: Sequence[Use], network: VGG19) -> tuple[Any, Recording]:
    recording = Recording(network)
    setting = Networks(
        {"vgg19": recording, "blind": PixelExtractor()},
        CPU,
        torch.float32,
        params={**PARAMS, "blind": BlindParams()},
        tile=tile,
    )
    mask, content = disc(203, 170), picture(203, 170, seed=1)
    plan = ObjectPlan(
        use("segmenter", "none", Params(), "none:None"),
        Select(),
        Style.model_construct(images=[], weights=None, scale=1.0),
        tuple(losses),
        use("merger", "none", Params(), "none:None"),
    )
    spec = Spec.model_construct(size=256, optimizer=Adam(steps=6, scales=2, learning_rate=0.02))
    task = Crop(content, mask.decision, mask.decision, [picture(120, 200, seed=5)])
    steps: list[Progress] = []
    outcome = stylize(task, plan, spec, setting, steps.append)
    assert outcome.status == "finished"
    return [dict(step.terms) for step in steps], recording


@pytest.mark.parametrize(("losses", "alone"), [(SUMMED, True), (UNSUMMED, False)])
def test_an_optimization_in_tiles_takes_the_same_steps(losses: Sequence[Use], alone: bool) -> None:
    network = narrow(channels=16, dtype=torch.float32)
    tiled, pieces = terms_of_each_step(64, losses, network)
    whole, _ = terms_of_each_step(0, losses, network)
    assert len(tiled) == len(whole) == 6
    for ours, theirs in zip(tiled, whole, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert whole[-1]["style"] < whole[0]["style"]
    # Unless there is a loss that has to see all, nothing larger than a tile is ever computed:
    # 64 pixels and the two of rounding, with 8 around them.
    largest = max(max(size) for size in pieces.sizes)
    assert (largest <= 64 + 2 + 2 * 8) == alone
