"""Single cells, random numbers and drawn-in masks: of tiles, those of the whole picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import SummedLoss, Sums, Targets, View
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.painting.features import Draws, FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.testing import PixelExtractor, disc
from tests.core.helpers.narrow_vgg import image_of

CPU = torch.device("cpu")

# No multiples of the strides.
SIZE = (101, 75)
STRIDES = {"fine": 1, "coarse": 4}


class Layers(FeatureExtractor):
    """Two layers of `PixelExtractor`, of different strides."""

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        return {
            layer: PixelExtractor(stride=STRIDES[layer]).extract(images, [layer])[layer]
            for layer in layers
        }

    def to(self, device: torch.device, dtype: torch.dtype) -> Layers:
        return self


class LayersParams(ExtractorParams):
    def layers(self) -> Mapping[str, int]:
        return STRIDES

    def reach(self, layer: str) -> int:
        return {"fine": 0, "coarse": 12}[layer]


READS = {"net": ["fine", "coarse"]}


def stack_of(tile: int) -> FeatureStack:
    return FeatureStack({"net": Layers()}, [READS], CPU, params={"net": LayersParams()}, tile=tile)


def masks_of(stack: FeatureStack) -> MaskPyramid:
    return MaskPyramid(disc(*SIZE, radius=0.4).decision[None].double(), stack.strides)


def cells_of(stride: int, count: int = 50) -> Tensor:
    generator = torch.Generator().manual_seed(stride)
    rows, columns = (torch.randint(side // stride, (count,), generator=generator) for side in SIZE)
    corner = torch.tensor([[0, 0], [SIZE[0] // stride - 1, SIZE[1] // stride - 1]])
    return torch.cat([torch.stack([rows, columns], 1), corner])


def tile_views(stack: FeatureStack, image: Tensor) -> list[View]:
    masks, draws = masks_of(stack), Draws(CPU)
    tiles = stack.tiles(SIZE)
    assert len(tiles) > 4
    return [stack.tile_view(image[tile.seen], masks, tile, draws) for tile in tiles]


# --- cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["fine", "coarse"])
def test_vectors_of_cells(layer: str) -> None:
    image = image_of(SIZE, 1)
    maps = Layers().extract(image, [layer])[layer][0]
    cells = cells_of(STRIDES[layer])
    expected = torch.stack([maps[:, row, column] for row, column in cells.tolist()])
    whole = stack_of(0)
    assert torch.equal(whole.view(image, masks_of(whole)).at(cells, "net", layer), expected)
    parts = [view.at(cells, "net", layer) for view in tile_views(stack_of(32), image)]
    torch.testing.assert_close(sum(parts), expected, rtol=1e-12, atol=0)
    # Each cell is in one tile.
    found = sum((part != 0).any(dim=1).long() for part in parts)
    assert torch.equal(found, torch.ones(len(cells), dtype=torch.long))


def test_colors_of_pixels() -> None:
    image, cells = image_of(SIZE, 1), cells_of(1)
    expected = torch.stack([image[0, :, row, column] for row, column in cells.tolist()])
    whole = stack_of(0)
    assert torch.equal(whole.view(image, masks_of(whole)).at(cells), expected)
    parts = [view.at(cells) for view in tile_views(stack_of(32), image)]
    torch.testing.assert_close(sum(parts), expected, rtol=1e-12, atol=0)


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "reach"), [("fine", 0), ("coarse", 12)])
def test_drawn_in_masks(layer: str, reach: int) -> None:
    stack, image, stride = stack_of(32), image_of(SIZE, 1), STRIDES[layer]
    expected = masks_of(stack).inside(stride, 0.65 * reach)
    whole = stack_of(0)
    assert torch.equal(whole.view(image, masks_of(whole)).inside("net", layer), expected)
    for tile, view in zip(stack.tiles(SIZE), tile_views(stack, image), strict=True):
        assert torch.equal(view.inside("net", layer), expected[tile.part(stride)])
    plain = F.avg_pool2d(masks_of(stack)(), stride)
    assert torch.equal(expected, plain) == (reach == 0)


# --- random numbers -------------------------------------------------------------------------------


def test_random_numbers_are_those_of_torch_in_order() -> None:
    before = random_state()
    whole = stack_of(0)
    view = whole.view(image_of(SIZE, 1), masks_of(whole))
    drawn = [view.random(3, 2), view.random(5)]
    after = torch.rand(4)
    restore_random_state(before)
    for numbers in drawn:
        assert torch.equal(numbers, torch.rand(numbers.shape))
    assert torch.equal(after, torch.rand(4))


def test_all_tiles_get_the_same_numbers_and_the_next_step_others() -> None:
    image = image_of(SIZE, 1)
    steps = []
    for _ in range(2):
        drawn = [(view.random(3), view.random(2, 2)) for view in tile_views(stack_of(32), image)]
        for first, second in drawn:
            assert torch.equal(first, drawn[0][0])
            assert torch.equal(second, drawn[0][1])
        steps.append(drawn[0][0])
    assert not torch.equal(*steps)


class Sampling(SummedLoss):
    """The mean square of random projections of random cells within the drawn-in mask."""

    def prepare(self, targets: Targets) -> None:
        pass

    def sums(self, view: View) -> Sums:
        direction, where = view.random(6) - 0.5, view.random(40, 2)
        cells = (where * torch.tensor([side // 4 for side in SIZE])).long()
        vectors = view.at(cells, "net", "coarse")
        colors = view.at((view.random(30, 2) * torch.tensor(SIZE)).long())
        maps = view.features("net", "coarse") * view.inside("net", "coarse")
        return vectors @ direction.to(vectors), colors, maps.sum(dim=(2, 3))

    def value(self, sums: Sums) -> Tensor:
        return torch.stack([own.square().mean() for own in sums]).sum()


def test_a_loss_of_random_cells_is_the_same_in_tiles_and_so_is_its_gradient() -> None:
    loss, before = Sampling(), random_state()
    image = image_of(SIZE, 4).requires_grad_()
    results = []
    for tile in (0, 32):
        restore_random_state(before)
        stack = stack_of(tile)
        (sums,) = stack.sums([loss], image, masks_of(stack))
        value = loss.value(sums)
        results.append((value.detach(), *torch.autograd.grad(value, image)))
    (whole, whole_slope), (tiled, tiled_slope) = results
    assert float(whole) > 0
    torch.testing.assert_close(tiled, whole, rtol=1e-10, atol=0)
    torch.testing.assert_close(tiled_slope, whole_slope, rtol=1e-9, atol=1e-14)


def test_targets_in_tiles_draw_each_number_once() -> None:
    """So that what is drawn afterward is the same, too."""
    loss, before = Sampling(), random_state()
    image = image_of(SIZE, 2)
    results = []
    for tile in (0, 32):
        restore_random_state(before)
        stack = stack_of(tile)
        sums = stack.target(image, masks_of(stack)).summed(loss.sums, READS, "samples")
        results.append((*sums, torch.rand(3)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


class Widened(FeatureExtractor):
    """Pixels as a map with channels last; keeps the strides of its gradient."""

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        maps = images.repeat(1, 2, 1, 1).contiguous(memory_format=torch.channels_last)
        maps.register_hook(lambda gradient: setattr(self, "strides", gradient.stride()))
        return {layer: maps for layer in layers}

    def to(self, device: torch.device, dtype: torch.dtype) -> Widened:
        return self


@pytest.mark.parametrize("tile", [0, 40])
def test_the_gradient_of_cells_has_the_layout_of_the_map(tile: int) -> None:
    """Otherwise a network converts it at every step, which takes longer than the loss itself."""
    network = Widened()
    reads = {"net": ["fine"]}
    stack = FeatureStack({"net": network}, [reads], CPU, params={"net": LayersParams()}, tile=tile)
    image = torch.rand(1, 3, *SIZE, requires_grad=True)
    views = tile_views(stack, image) if tile else [stack.view(image, masks_of(stack))]
    for view in views:
        view.at(cells_of(1), "net", "fine").sum().backward()
        assert network.strides[1] == 1
