"""Large pictures: computed in tiles, sums, gradients and targets are those of the whole."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import SummedLoss, Targets
from instyle_core.interfaces.params import ExtractorParams, ReaderParams
from instyle_core.painting.features import Draws, FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.testing import PixelExtractor
from instyle_losses.content import ContentLoss
from instyle_losses.params import ContentParams, StyleParams
from instyle_losses.style import StyleLoss
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19
from tests.core.helpers.narrow_vgg import Recording, image_of, narrow, soft

CPU = torch.device("cpu")
PARAMS = {"vgg19": VGG19Params()}

# No multiples of 16, and too large for a tile to see all, with 85 pixels around it for relu5_1.
SIZE = (331, 117)
STYLE_SIZE = (131, 340)


@pytest.fixture(scope="module")
def network() -> VGG19:
    return narrow()


MASKS = {"soft": soft(*SIZE), "everywhere": torch.ones(1, 1, *SIZE, dtype=torch.float64)}


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
        view = stack.tile_view(image[tile.seen], pyramid, tile, Draws(CPU))
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
    part = stack.tile_view(image[tile.seen], pyramid, tile, Draws(CPU))
    for view in (stack.view(image, pyramid), part):
        raw, wide = (view.features("vgg19", "relu1_1", raw=raw) for raw in (True, False))
        assert raw.dtype == (torch.float32 if precision == torch.float16 else precision)
        assert wide.dtype == torch.float32
        assert torch.equal(raw.float(), wide)


# --- what cannot be computed in tiles -------------------------------------------------------------


class BlindParams(ExtractorParams):
    """Says nothing of how far its layers reach."""

    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}


def test_only_an_extractor_that_knows_its_reach_gets_tiles(network: VGG19) -> None:
    blind, seeing = {"blind": ["cells"]}, {"vgg19": ["relu2_1"]}
    reads = [blind, seeing]
    both = {"blind": PixelExtractor(), "vgg19": network}
    params = {"blind": BlindParams(), **PARAMS}
    assert len(FeatureStack(both, reads, CPU, params=params, tile=64).tiles(SIZE)) > 1
    for known in ({"blind": BlindParams()}, {}):
        alone = FeatureStack(both, reads[:1], CPU, params=known, tile=64)
        assert len(alone.tiles(SIZE)) == 1
        assert not alone.is_local(blind)
        maps = alone.target(image_of(SIZE, 1), MaskPyramid(MASKS["soft"])).features(
            "blind", "cells"
        )
        assert maps.shape[-2:] == (SIZE[0] // 2, SIZE[1] // 2)


# --- memory ---------------------------------------------------------------------------------------


class Watching(Recording):
    """Counts the passes of which a feature map is still in memory, whoever holds it."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        super().__init__(extractor)
        self.alive: set[int] = set()
        self.passes = 0
        self.most = 0

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        maps = super().extract(images, layers)
        self.passes += 1
        self.alive.add(self.passes)
        self.most = max(self.most, len(self.alive))
        left = [len(maps)]

        def gone(number: int) -> None:
            left[0] -= 1
            if not left[0]:
                self.alive.remove(number)

        for tensor in maps.values():
            weakref.finalize(tensor.untyped_storage(), gone, self.passes)
        return maps


def test_no_two_tiles_are_in_memory_at_a_time(network: VGG19) -> None:
    """Neither while sums are added up, nor while their gradient is computed."""
    watching = Watching(network)
    params = StyleParams(layers=("relu1_1", "relu2_1"))
    stack = stack_of(watching, [params], 64)
    image, pyramid = image_of(SIZE, 4).requires_grad_(), MaskPyramid(MASKS["soft"])
    count = len(stack.tiles(SIZE))
    assert count > 4
    (sums,) = stack.sums([StyleLoss(params)], image, pyramid)
    assert (watching.passes, watching.most, watching.alive) == (count, 1, set())
    torch.autograd.grad(sum(gram.square().sum() for gram in sums), image)
    assert (watching.passes, watching.most, watching.alive) == (2 * count, 1, set())
