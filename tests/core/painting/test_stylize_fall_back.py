"""What is done when memory runs out, or a gradient leaves the range of float16; and recordings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from instyle_core import InstyleError
from instyle_core.config.optimizer import Adam
from instyle_core.config.plan import ObjectPlan
from instyle_core.config.spec import Select, Spec, Style
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.optimization import cuda_graph
from instyle_core.optimization import scale as scale_run
from instyle_core.optimization.optimize import Outcome
from instyle_core.optimization.scale import ScaleRun
from instyle_core.painting.features import FeatureStack, MaskPyramid
from instyle_core.painting.objective import Crop
from instyle_core.painting.stylize import Networks, stylize
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
    task = Crop(picture(SIDE, SIDE, seed=1), everything, everything, [picture(SIDE, SIDE, seed=2)])
    values: list[float] = []
    setting = Networks({"pixels": extractor}, CPU, torch.float32, {"pixels": params})
    outcome = stylize(
        task,
        plan,
        spec,
        setting,
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
    assert notes == ["memory has run out, so that it goes on in tiles of 160 pixels"]
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

    with pytest.raises(RuntimeError, match="the network is broken"):
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


def toy(terms: Callable[[Tensor], Mapping[str, Tensor]]) -> scale_run.Scale:
    class Toy:
        size = (4, 4)

        def enter(self, start: Tensor) -> Tensor:
            return start.clone()

        def compose(self, pixels: Tensor) -> Tensor:
            return pixels

        def terms(self, pixels: Tensor) -> Mapping[str, Tensor]:
            return terms(pixels)

    return Toy()


def test_an_overflow_is_tried_again_with_a_smaller_scale() -> None:
    scale = [2.0**32]
    tried: list[str] = []

    def terms(pixels: Tensor) -> Mapping[str, Tensor]:
        value = pixels.square().mean()
        return {"level": value if scale[0] < 2**20 else value + 0 * (pixels * 0).sqrt().sum()}

    def fall_back(failure: str) -> bool:
        tried.append(failure)
        scale[0] /= 16
        return True

    run = ScaleRun(toy(terms), picture(4, 4), None, Adam(steps=1), fall_back=fall_back)
    run.step(0.1)
    assert tried == ["overflow"] * 4
    assert run.values["level"] == pytest.approx(float(picture(4, 4).square().mean()))


# --- recordings -----------------------------------------------------------------------------------


def steps(run: ScaleRun, count: int = 8) -> list[float]:
    values = []
    for _ in range(count):
        run.step(0.05)
        values.append(run.values["level"])
    return values


def level(pixels: Tensor) -> Mapping[str, Tensor]:
    return {"level": (pixels - 0.3).square().mean()}


@pytest.mark.parametrize("possible", [True, False])
def test_a_recorded_step_is_a_step(monkeypatch: pytest.MonkeyPatch, possible: bool) -> None:
    expected = steps(ScaleRun(toy(level), picture(4, 4), None, Adam(steps=8)))
    asked: list[Callable[[], Tensor]] = []

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
        asked.append(compute)
        return compute if possible else None

    monkeypatch.setattr(scale_run, "capture", capture)
    run = ScaleRun(toy(level), picture(4, 4), None, Adam(steps=8))
    run._until_capture = 3  # as on a GPU
    assert steps(run) == expected
    assert len(asked) == 1


def test_what_was_recorded_is_recorded_anew_after_relief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording has the way in it that it was computed in."""
    asked: list[Callable[[], Tensor]] = []
    fell_back: list[str] = []

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        asked.append(compute)
        return compute

    def fall_back(failure: str) -> bool:
        fell_back.append(failure)
        return len(fell_back) < 3

    monkeypatch.setattr(scale_run, "capture", capture)
    run = ScaleRun(toy(level), picture(4, 4), None, Adam(steps=9), fall_back=fall_back)
    run._until_capture = 1
    steps(run, 3)
    assert len(asked) == 1
    run._replay = lambda: torch.tensor([1.0, math.inf])  # what it plays from now on
    values = steps(run, 2 + scale_run.WARM_UP)
    assert fell_back == ["overflow"]
    assert len(asked) == 2
    assert all(math.isfinite(value) and value < 1 for value in values)


def test_memory_that_runs_out_before_a_recording_begins_the_warm_up_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluations: list[int] = []
    asked_at: list[int] = []

    def counted(pixels: Tensor) -> Mapping[str, Tensor]:
        evaluations.append(1)
        return level(pixels)

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        asked_at.append(len(evaluations))
        if len(asked_at) == 1:
            raise torch.OutOfMemoryError("full")
        return compute

    monkeypatch.setattr(scale_run, "capture", capture)
    run = ScaleRun(toy(counted), picture(4, 4), None, Adam(steps=8), fall_back=lambda _: True)
    run._until_capture = scale_run.WARM_UP
    steps(run)
    assert asked_at == [scale_run.WARM_UP, 2 * scale_run.WARM_UP]


class Recording:
    """Stands in for a CUDA graph: what is played back is computed anew."""

    def replay(self) -> None:
        Recording.played += 1
        Recording.result.copy_(Recording.compute())

    played = 0
    result: Tensor
    compute: Callable[[], Tensor]


@dataclass
class Device:
    """Stands in for what torch knows of a GPU."""

    stream: str = "default"
    waiting: str | int = "default"

    @contextmanager
    def on(self, stream: str) -> Iterator[None]:
        before, self.stream = self.stream, stream
        try:
            yield
        finally:
            self.stream = before

    @contextmanager
    def capture(self, graph: Recording) -> Iterator[None]:
        assert self.waiting == "default"
        self.stream = "capture's"
        yield  # as torch does, it forgets the stream where this raises
        self.stream = "default"

    def wait_for(self, waiting: str | int) -> None:
        if waiting == "error":
            warnings.warn("a prototype", stacklevel=1)
        self.waiting = waiting


def recording(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Tensor]) -> Device:
    device = Device()
    for name, stand_in in {
        "CUDAGraph": Recording,
        "graph": device.capture,
        "stream": device.on,
        "current_stream": lambda: device.stream,
        "get_sync_debug_mode": lambda: device.waiting,
        "set_sync_debug_mode": device.wait_for,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    Recording.played = 0
    Recording.result = torch.zeros(2)
    Recording.compute = staticmethod(compute)
    return device


def test_a_recording_is_played_back(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.tensor([1.0, 2.0])
    recording(monkeypatch, lambda: 2 * numbers)

    def compute() -> Tensor:
        Recording.result = 2 * numbers
        return Recording.result

    play = cuda_graph.capture(compute)
    assert play is not None
    numbers += 1
    assert play().tolist() == [4, 6]
    assert Recording.played == 2  # once to be compared


def test_a_recording_that_gives_other_numbers_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    recording(monkeypatch, lambda: torch.tensor([7.0, 7.0]))

    def compute() -> Tensor:
        Recording.result = torch.tensor([1.0, 2.0])
        return Recording.result

    assert cuda_graph.capture(compute) is None


def test_what_cannot_be_recorded_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")

    device = recording(monkeypatch, fail)
    calls: list[int] = []

    def compute() -> Tensor:
        calls.append(1)
        return fail() if len(calls) > 1 else torch.ones(2)

    assert cuda_graph.capture(compute) is None
    assert len(calls) == 2
    assert device == Device()  # nothing is left of the attempt


@pytest.mark.filterwarnings("error")
def test_what_waits_for_the_gpu_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute() -> Tensor:
        assert device.waiting == "error"
        raise RuntimeError("called a synchronizing CUDA operation")

    device = recording(monkeypatch, compute)
    monkeypatch.delattr(torch.cuda, "CUDAGraph")
    assert cuda_graph.capture(compute) is None
    assert device == Device()


def test_memory_that_runs_out_before_a_recording_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what cannot be computed in one piece is recorded in tiles."""

    def compute() -> Tensor:
        raise torch.OutOfMemoryError("full")

    device = recording(monkeypatch, compute)
    with pytest.raises(torch.OutOfMemoryError):
        cuda_graph.capture(compute)
    assert device == Device()
