"""Feature maps are computed once for all losses, and masks fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid

CPU = torch.device("cpu")


class Counting(FeatureExtractor):
    """Layer ``n`` is the picture times n; remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.calls.append(list(layers))
        return {layer: images * int(layer) for layer in layers}

    def to(self, device: torch.device, dtype: torch.dtype) -> Counting:
        return self


class Mixing(FeatureExtractor):
    """A convolution, which automatic mixed precision runs in low precision."""

    def __init__(self) -> None:
        self.seen: list[torch.dtype] = []
        self._weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        maps = torch.nn.functional.conv2d(images, self._weight.to(images.dtype))
        self.seen.append(maps.dtype)
        return {layer: maps for layer in layers}

    def to(self, device: torch.device, dtype: torch.dtype) -> Mixing:
        return self


def picture(size: int = 8, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=dtype)


def pyramid(size: int = 8) -> MaskPyramid:
    return MaskPyramid(torch.ones(1, 1, size, size))


# --- feature maps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("losses", [1, 2, 7])
def test_one_pass_whatever_number_of_losses_reads_it(losses: int) -> None:
    first, second = Counting(), Counting()
    reads = [{"a": ["1", "2"], "b": ["5"]}, {"a": ["3", "2"]}, *[{"a": ["1"]}] * 5][:losses]
    stack = FeatureStack({"a": first, "b": second}, reads, CPU)
    for step in range(3):
        image = picture() + step
        view = stack.view(image, pyramid())
        for wanted in reads:
            for name, layers in wanted.items():
                for layer in layers:
                    assert torch.equal(view.features(name, layer), image * int(layer))
    assert [len(calls) for calls in (first.calls, second.calls)] == [3, 3]


def test_only_what_is_read_is_computed() -> None:
    read, unread = Counting(), Counting()
    reads = [{"a": ["4", "1"]}, {"a": ["1", "2"]}, {}]
    stack = FeatureStack({"a": read, "unread": unread}, reads, CPU)
    view = stack.view(picture(), pyramid())
    assert read.calls == []  # nor is anything computed that nobody asks for in the end
    view.features("a", "1")
    (layers,) = read.calls
    assert sorted(layers) == ["1", "2", "4"]  # each of them once
    assert unread.calls == []


def test_two_extractors_may_have_layers_of_the_same_name() -> None:
    class Minus(Counting):
        def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
            return {layer: -images for layer in layers}

    stack = FeatureStack({"a": Counting(), "b": Minus()}, [{"a": ["2"]}, {"b": ["2"]}], CPU)
    view = stack.view(picture(), pyramid())
    assert torch.equal(view.features("a", "2"), 2 * picture())
    assert torch.equal(view.features("b", "2"), -picture())


def test_the_view_has_the_picture_itself() -> None:
    image, mask = picture(), torch.rand(1, 1, 8, 8)
    view = FeatureStack({}, [], CPU).view(image, MaskPyramid(mask))
    assert view.image is image
    assert view.mask() is mask


@pytest.mark.parametrize(("precision", "error"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_low_precision_ends_at_the_feature_maps(precision: torch.dtype, error: float) -> None:
    extractor = Mixing()
    image = picture().requires_grad_()
    low = FeatureStack({"net": extractor}, [{"net": ["x"]}], CPU, precision)
    low.gradient_scale = 2.0**8
    maps = low.view(image, pyramid()).features("net", "x")
    assert extractor.seen == [precision]  # or the test would show nothing
    assert maps.dtype == torch.float32
    (gradient,) = torch.autograd.grad(maps.square().sum(), image)
    assert gradient.dtype == torch.float32

    exact = FeatureStack({"net": extractor}, [{"net": ["x"]}], CPU)
    expected = exact.view(image, pyramid()).features("net", "x")
    (exact_gradient,) = torch.autograd.grad(expected.square().sum(), image)
    # bfloat16 has 8 significant bits, float16 has 11; a sum of 27 products is off by no more than
    # some of them.
    assert 0 < (maps - expected).abs().max() < error * expected.abs().max()
    assert (gradient - exact_gradient).abs().max() < error * exact_gradient.abs().max()


def test_the_gradients_of_float16_are_scaled_within_the_network_alone() -> None:
    """Each of them is far below what float16 can hold, by itself."""
    image = picture().requires_grad_()
    gradients = []
    for precision in (torch.float16, torch.float32):
        stack = FeatureStack({"net": Mixing()}, [{"net": ["x"]}], CPU, precision)
        maps = stack.view(image, pyramid()).features("net", "x")
        gradients.append(torch.autograd.grad(1e-12 * maps.sum(), image)[0])
    assert gradients[1].abs().max() < torch.finfo(torch.float16).smallest_normal / 1e4
    torch.testing.assert_close(*gradients, rtol=0.01, atol=1e-14)


# --- tiles ----------------------------------------------------------------------------------------


class LocalParams(ExtractorParams):
    """Of the layers of `Counting`, 3 depends on all of the picture."""

    def layers(self) -> Mapping[str, int]:
        return {"1": 1, "2": 1, "3": 1}

    def reach(self, layer: str) -> int | None:
        return {"1": 0, "2": 7}.get(layer)


@pytest.mark.parametrize(
    ("layers", "size", "count"),
    [
        (["1", "2"], (128, 192), 2 * 3),
        (["1", "2"], (64, 1280), 20),
        (["1", "2"], (64, 64), 1),
        (["1", "2"], (66, 65), 1),  # hardly larger than a tile
        (["1", "2"], (20, 150), 1),  # longer, but with no more pixels
        (["1", "3"], (128, 192), 1),  # nothing would be gained
        (["3"], (128, 192), 1),
        ([], (128, 192), 1),
    ],
)
def test_what_is_cut_into_tiles(layers: list[str], size: tuple[int, int], count: int) -> None:
    reads = [{"a": layers}] if layers else [{}]
    for side, tiles in ((64, count), (0, 1)):
        stack = FeatureStack({"a": Counting()}, reads, CPU, params={"a": LocalParams()}, tile=side)
        assert len(stack.tiles(size)) == tiles
    unknown = FeatureStack({"a": Counting()}, reads, CPU, tile=64)
    assert len(unknown.tiles(size)) == 1


def test_tiles_see_as_far_as_the_farthest_layer() -> None:
    reads = [{"a": ["1"]}, {"a": ["2"]}]
    stack = FeatureStack({"a": Counting()}, reads, CPU, params={"a": LocalParams()}, tile=64)
    assert {tile.rows.seen for tile in stack.tiles((192, 64))} == {(0, 71), (57, 135), (121, 192)}


def test_a_target_runs_the_network_for_each_tile_and_not_for_what_is_not_asked() -> None:
    counting = Counting()
    stack = FeatureStack(
        {"a": counting}, [{"a": ["1", "2"]}], CPU, params={"a": LocalParams()}, tile=4
    )
    image = picture(16)
    assert torch.equal(stack.target(image, pyramid(16)).features("a", "2"), 2 * image)
    assert counting.calls == [["2"]] * 16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_precision_is_kept(dtype: torch.dtype) -> None:
    extractor = Mixing()
    stack = FeatureStack({"net": extractor}, [{"net": ["x"]}], CPU)
    maps = stack.view(picture(dtype=dtype), pyramid()).features("net", "x")
    assert extractor.seen == [dtype]
    assert maps.dtype == dtype
