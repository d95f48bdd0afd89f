"""What guards let pass, and what they look at when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import ref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from instyle_core import (
    FeatureExtractor,
    InputError,
    Loss,
    Mask,
    Merger,
    Params,
    Plugin,
    Prompt,
    Refiner,
    Segmentation,
    Segmenter,
    SummedLoss,
    Targets,
    View,
)
from instyle_core.errors import PluginError
from instyle_core.interfaces.params import ExtractorParams, LossParams
from instyle_core.painting.features import PictureView
from instyle_core.plugin.border import called, guard
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture, view
from tests.core.helpers.pictures import FEW


def guarded(kind: Any, thing: Any, params: Params | None = None) -> Any:
    params = params or Params()
    return guard(Use(Plugin(kind, "own", type(params), "own:Own", ""), params, 1.0, "own 1"), thing)


# --- what is raised and printed -------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        InputError("mark the object", hint="with a point"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_fault_of_a_plugin_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, called("the loss 'own'", "prepare()"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (SystemExit(), "SystemExit"),
        (GeneratorExit("gone"), "GeneratorExit: gone"),
        (StopIteration(3), "StopIteration: 3"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_all_else_names_the_plugin_and_keeps_its_cause(error: BaseException, text: str) -> None:
    with pytest.raises(PluginError) as caught, called("the loss 'own' of own 1", "prepare()"):
        raise error
    assert caught.value.what == f"the loss 'own' of own 1 is broken: prepare() raised {text}"
    assert caught.value.__cause__ is error
    assert caught.value.exit_status == 1


def test_what_is_printed_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout

    def talk() -> None:
        with called("the loss 'own'", "prepare()"):
            print("it talks")
            raise ValueError

    with pytest.raises(PluginError):
        talk()
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "it talks\n")


# --- rounding -------------------------------------------------------------------------------------


class Returns(Segmenter, Merger, Refiner):
    """Returns what it is told to, whatever it is asked."""

    def __init__(self, answer: Any, paints: Tensor | None = None) -> None:
        self.answer, self.painted = answer, paints

    def segment(self, image: Tensor, prompt: Prompt) -> Any:
        return self.answer

    def refine(self, image: Tensor, mask: Mask) -> Any:
        return self.answer

    def paints(self, mask: Mask) -> Tensor:
        return mask.decision if self.painted is None else self.painted

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Any:
        return self.answer


@pytest.mark.parametrize(("error", "passes"), [(0.0, True), (9e-4, True), (1.2e-3, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_probabilities_are_rounded(error: float, passes: bool, sign: int) -> None:
    one = torch.ones(1, 4, 5)
    off = torch.cat([one + sign * error, 0 * one])
    segmenter = guarded("segmenter", Returns(Segmentation(("a", "b"), off)))
    if passes:
        seen = segmenter.segment(picture(4, 5), Prompt())
        assert float(seen.probabilities.max()) <= 1
        assert float((seen.probabilities - off).abs().max()) <= error + 1e-6
    else:
        with pytest.raises(PluginError, match=r"tolerance 0.001"):
            segmenter.segment(picture(4, 5), Prompt())


def test_notes_of_a_segmenter_are_passed_on() -> None:
    half = torch.full((2, 4, 5), 0.5)

    def seen(notes: Any) -> Segmentation:
        found = Segmentation(("a", "b"), half, notes=notes)
        return guarded("segmenter", Returns(found)).segment(picture(4, 5), Prompt())

    assert seen(["a word", "or two"]).notes == ("a word", "or two")
    with pytest.raises(PluginError, match="notes"):
        seen("a word")


def test_a_mask_without_gradient_is_made_of_one_that_has_one() -> None:
    weight = nn.Parameter(torch.tensor(0.5))
    half = weight * torch.ones(2, 4, 5)
    seen = guarded("segmenter", Returns(Segmentation(("a", "b"), half))).segment(
        picture(4, 5), Prompt()
    )
    assert not seen.probabilities.requires_grad


@pytest.mark.parametrize(("high", "passes"), [(1.0, True), (1.0009, True), (1.002, False)])
def test_pixels_are_rounded(high: float, passes: bool) -> None:
    mask, content = disc(), picture(seed=1)
    merged = torch.where(mask.decision > 0, high, content)
    merger = guarded("merger", Returns(merged))
    if passes:
        assert float(merger.merge(content, picture(seed=2), mask).max()) <= 1
    else:
        with pytest.raises(PluginError, match=r"merge\(\) is from 0\.\d+ to 1.002"):
            merger.merge(content, picture(seed=2), mask)


@pytest.mark.parametrize(("levels", "passes"), [(0.5, True), (1, True), (1.1, False)])
def test_a_merger_of_8_bits_passes(levels: float, passes: bool) -> None:
    mask, content = disc(), picture(seed=1)
    merger = guarded("merger", Returns(content + levels / 255))
    if passes:
        merger.merge(content, picture(seed=2), mask)
    else:
        with pytest.raises(PluginError, match=r"outside of paints\(\) is 1.1 levels of 255"):
            merger.merge(content, picture(seed=2), mask)


def test_a_pixel_that_is_painted_may_change_as_it_likes() -> None:
    content = picture(seed=1)
    everything = Returns(1 - content, paints=torch.ones(1, 32, 32))
    assert torch.equal(guarded("merger", everything).merge(content, content, disc()), 1 - content)


# --- feature maps ---------------------------------------------------------------------------------


class Strided(ExtractorParams):
    stride: int = 2
    local: bool = True

    def layers(self) -> Mapping[str, int]:
        return {"cells": self.stride}

    def reach(self, layer: str) -> int | None:
        return 0 if self.local else None


class Cells(FeatureExtractor):
    """A map of so many cells."""

    def __init__(self, rows: int, columns: int) -> None:
        self.size = rows, columns

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        return {layer: F.adaptive_avg_pool2d(images, self.size) for layer in layers}

    def to(self, device: torch.device, dtype: torch.dtype) -> Cells:
        return self


@FEW
@given(
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    stride=st.integers(1, 8),
    more=st.tuples(st.integers(-1, 2), st.integers(-1, 2)),
    local=st.booleans(),
)
def test_strides_are_rounded_up_only_where_nothing_is_cut_into_tiles(
    height: int, width: int, stride: int, more: tuple[int, int], local: bool
) -> None:
    rows, columns = height // stride + more[0], width // stride + more[1]
    if min(rows, columns) < 1:
        return
    right = [{height // stride}, {width // stride}]
    if not local:
        right = [right[0] | {-(-height // stride)}, right[1] | {-(-width // stride)}]
    extractor = guarded("extractor", Cells(rows, columns), Strided(stride=stride, local=local))
    if rows in right[0] and columns in right[1]:
        maps = extractor.extract(picture(height, width)[None], ["cells"])
        assert maps["cells"].shape == (1, 3, rows, columns)
    else:
        with pytest.raises(PluginError, match=rf"by its stride of {stride}"):
            extractor.extract(picture(height, width)[None], ["cells"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_maps_may_have_any_precision(dtype: torch.dtype) -> None:
    class Rounded(Cells):
        def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
            return {
                name: cells.to(dtype) for name, cells in super().extract(images, layers).items()
            }

    extractor = guarded("extractor", Rounded(8, 8), Strided(stride=4))
    maps = extractor.to(torch.device("cpu"), torch.float32).extract(picture()[None], ["cells"])
    assert maps["cells"].dtype == dtype


# --- gradients ------------------------------------------------------------------------------------


class Plain(LossParams):
    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"pixels": ["cells"]}


class Level(Loss):
    """The mean of a function of the picture."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def prepare(self, targets: Targets) -> None:
        pass

    def __call__(self, view: View) -> Tensor:
        return self.function(view.image).mean()


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        return image.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


WEIGHT = nn.Parameter(torch.tensor(2.0))
WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "directly": torch.square,
    "by a weight that learns": lambda image: WEIGHT * image,
    "by a function of its own": Straight.apply,
    "by a checkpoint": lambda image: checkpoint(torch.sin, image, use_reentrant=False),
    "by a checkpoint that enters again": lambda image: checkpoint(
        torch.sin, image, use_reentrant=True
    ),
    "by one of many ways": lambda image: image.detach() + 0 * image.flip(-1).cumsum(dim=2),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("leaf", [True, False])
def test_every_way_down_to_the_picture_is_found(way: str, leaf: bool) -> None:
    image = picture().requires_grad_()
    seen = image if leaf else image * 0.5 + 0.25
    loss = guarded("loss", Level(WAYS[way]), Plain())
    value = loss(view(seen, torch.ones(1, 32, 32), Plain()))
    value.backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_no_gradient_is_asked_for_where_the_picture_wants_none() -> None:
    loss = guarded("loss", Level(lambda image: image.detach()), Plain())
    assert float(loss(view(picture(), torch.ones(1, 32, 32), Plain()))) > 0
    with torch.no_grad():
        assert float(loss(view(picture().requires_grad_(), torch.ones(1, 32, 32), Plain()))) > 0
    with pytest.raises(PluginError, match="without a gradient"):
        loss(view(picture().requires_grad_(), torch.ones(1, 32, 32), Plain()))


# --- what is looked at, and when ------------------------------------------------------------------


class Recorder(TorchDispatchMode):
    """The names of what torch is asked to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def asked(function: Callable[[], Any]) -> list[str]:
    with Recorder() as recorder:
        function()
    return recorder.names


class Squares(SummedLoss):
    def prepare(self, targets: Targets) -> None:
        self.content = targets.content

    def sums(self, view: View) -> tuple[Tensor, ...]:
        cells = view.features("pixels", "cells")
        return (cells.square().sum(), view.mask(cells.shape[-2:]).sum())

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        return sums[0] / sums[1]


def test_from_the_second_call_on_torch_has_nothing_more_to_do() -> None:
    """So that a GPU is not waited for, and a step can be recorded."""
    params, ones = Plain(), torch.ones(1, 32, 32)

    def step(loss: SummedLoss, extractor: FeatureExtractor) -> None:
        image = picture().requires_grad_()
        extractor.extract(image[None], ["cells"])
        loss(view(image, ones, params))
        loss.value(loss.sums(view(image, ones, params)))

    bare = Squares(), PixelExtractor(stride=2)
    checked = guarded("loss", Squares(), params), guarded("extractor", bare[1], Strided())
    first = asked(lambda: step(*checked))
    plain = asked(lambda: step(*bare))
    assert len(first) > len(plain)
    assert asked(lambda: step(*checked)) == plain


def test_a_number_that_is_lost_later_is_not_the_borders_concern() -> None:
    """The optimization tells of it, with the best picture before."""
    loss = guarded("loss", Level(lambda image: image / image.detach().max()), Plain())
    ones = torch.ones(1, 32, 32)
    assert float(loss(view(picture(), ones, Plain()))) > 0
    assert loss(view(0 * picture(), ones, Plain())).isnan()


def test_a_guard_holds_nothing_that_the_core_has_let_go() -> None:
    """Or tiles would pile up in memory while a loss goes through them."""
    shown: list[ref[Tensor]] = []

    class Tiles(Squares):
        def prepare(self, targets: Targets) -> None:
            for _ in range(3):
                assert all(tile() is None for tile in shown)
                targets.styles[0].summed(self.sums, {"pixels": ["cells"]}, "squares")

        def sums(self, view: View) -> tuple[Tensor, ...]:
            shown.append(ref(view.features("pixels", "cells")))
            return super().sums(view)

    class Cut(PictureView):
        def summed(self, sums: Any, reads: Any, what: str) -> tuple[Tensor, ...]:
            return sums(view(picture(), torch.ones(1, 32, 32), Plain()))

    whole = view(picture(), torch.ones(1, 32, 32), Plain())
    cut = Cut(whole._stack, whole._image, whole._mask)
    guarded("loss", Tiles(), Plain()).prepare(Targets(whole, (cut,), (1.0,)))
    assert len(shown) == 3
