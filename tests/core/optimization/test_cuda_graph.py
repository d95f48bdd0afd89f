"""Capturing a step, with a stand-in for CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

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


def stand_in(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Tensor]) -> None:
    @contextmanager
    def capturing(graph: Graph) -> Iterator[None]:
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capturing)
    Graph.replays = 0
    Graph.result = torch.zeros(2)
    Graph.compute = staticmethod(compute)


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

    stand_in(monkeypatch, fail)
    calls: list[int] = []

    def compute() -> Tensor:
        calls.append(1)
        return fail() if len(calls) > 1 else torch.ones(2)

    assert capture(compute) is None
