"""Capturing a step, with a stand-in for CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from instyle_core.optimization.cuda_graph import capture
from instyle_core.plugin.border import called


class Graph:
    """Stands in for `torch.cuda.CUDAGraph`: a replay writes what `compute` gives to `result`."""

    replays = 0
    result: Tensor
    compute: Callable[[], Tensor]

    def replay(self) -> None:
        Graph.replays += 1
        Graph.result.copy_(Graph.compute())


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
    def capturing(self, graph: Graph) -> Iterator[None]:
        assert self.waiting == "default"
        self.stream = "of the capture"
        yield  # like torch, it forgets the stream where this raises
        self.stream = "default"

    def wait_for(self, waiting: str | int) -> None:
        if waiting == "error":
            warnings.warn("a prototype", stacklevel=1)
        self.waiting = waiting


def stand_in(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Tensor]) -> Device:
    device = Device()
    for name, part in {
        "CUDAGraph": Graph,
        "graph": device.capturing,
        "stream": device.on,
        "current_stream": lambda: device.stream,
        "get_sync_debug_mode": lambda: device.waiting,
        "set_sync_debug_mode": device.wait_for,
    }.items():
        monkeypatch.setattr(torch.cuda, name, part)
    Graph.replays = 0
    Graph.result = torch.zeros(2)
    Graph.compute = staticmethod(compute)
    return device


def test_a_graph_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.tensor([1.0, 2.0])
    stand_in(monkeypatch, lambda: 2 * numbers)

    def compute() -> Tensor:
        Graph.result = 2 * numbers
        return Graph.result

    replay = capture(compute)
    assert replay is not None
    numbers += 1
    assert replay().tolist() == [4, 6]
    assert Graph.replays == 2  # the first one was compared


@pytest.mark.parametrize(("factor", "used"), [(7.0, False), (1.1, False), (1.001, True)])
def test_a_graph_that_gives_other_numbers_is_not_used(
    monkeypatch: pytest.MonkeyPatch, factor: float, used: bool
) -> None:
    """Sums in another order are allowed for, within a hundredth."""
    stand_in(monkeypatch, lambda: factor * torch.tensor([1.0, 2.0]))

    def compute() -> Tensor:
        Graph.result = torch.tensor([1.0, 2.0])
        return Graph.result

    assert (capture(compute) is not None) == used


@pytest.mark.parametrize("works", [True, False])
def test_random_numbers_are_drawn_as_if_nothing_had_been_tried(
    monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """And the replay that is compared draws those of the evaluation that it is compared with."""
    stand_in(monkeypatch, lambda: torch.rand(2))
    calls: list[int] = []

    def compute() -> Tensor:
        calls.append(1)
        Graph.result = torch.rand(2)
        if len(calls) > 1 and not works:
            raise RuntimeError("operation not permitted when stream is capturing")
        return Graph.result

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    replay = capture(compute)
    assert (replay is not None) == works
    assert torch.equal(replay() if replay else torch.rand(2), expected)


def test_values_that_are_not_numbers_are_as_good_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that is not finite is noticed later, with its name."""
    stand_in(monkeypatch, lambda: torch.tensor([torch.nan, 2.0]))

    def compute() -> Tensor:
        Graph.result = torch.tensor([torch.nan, 2.0])
        return Graph.result

    assert capture(compute) is not None


@pytest.mark.parametrize("called_by_a_guard", [True, False])
def test_what_cannot_be_captured_is_not(
    monkeypatch: pytest.MonkeyPatch, called_by_a_guard: bool
) -> None:
    def fail() -> Tensor:
        with called("the loss", "__call__()") if called_by_a_guard else nullcontext():
            raise RuntimeError("operation not permitted when stream is capturing")

    device = stand_in(monkeypatch, fail)
    calls: list[int] = []

    def compute() -> Tensor:
        calls.append(1)
        return fail() if len(calls) > 1 else torch.ones(2)

    assert capture(compute) is None
    assert len(calls) == 2
    assert device == Device()  # nothing is left of the attempt


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("called_by_a_guard", [True, False])
def test_what_waits_for_the_gpu_is_not_captured(
    monkeypatch: pytest.MonkeyPatch, called_by_a_guard: bool
) -> None:
    def compute() -> Tensor:
        assert device.waiting == "error"
        with called("the loss", "__call__()") if called_by_a_guard else nullcontext():
            raise RuntimeError("called a synchronizing CUDA operation")

    device = stand_in(monkeypatch, compute)
    monkeypatch.delattr(torch.cuda, "CUDAGraph")
    assert capture(compute) is None
    assert device == Device()


def test_memory_that_is_full_before_a_capture_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what cannot be computed in one piece is captured in tiles."""

    def compute() -> Tensor:
        raise torch.OutOfMemoryError("full")

    device = stand_in(monkeypatch, compute)
    with pytest.raises(torch.OutOfMemoryError):
        capture(compute)
    assert device == Device()
