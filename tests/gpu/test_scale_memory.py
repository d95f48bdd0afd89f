"""Memory that runs out: the run goes on in tiles, or says what to do."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from instyle_core import InstyleError

pytestmark = [pytest.mark.gpu, pytest.mark.cuda]

MB = 2**20
SIDE = 1024

#: All of the picture, at one size.
WHOLE = {
    "device": "cuda",
    "objects": None,
    "segmenter": None,
    "start": "noise",
    "optimizer": {"use": "adam", "steps": 8, "scales": 1},
}


@pytest.fixture
def large(
    device: torch.device,
    runs: Any,
    tmp_path: Path,
    grainy: Callable[[int, int, int], Tensor],
    depth_network: Path,
) -> Any:
    """Runs at 1024x1024 pixels."""
    folder = tmp_path / "large"
    folder.mkdir()
    return type(runs)(folder, grainy(SIDE, SIDE, 1), grainy(SIDE, SIDE, 2), depth_network)


def start_afresh() -> int:
    """Give back what can be given back; the bytes that torch still has of the GPU."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_reserved()


@contextmanager
def at_most(more: int) -> Iterator[None]:
    """Let torch have so many bytes of the GPU beyond those that it has."""
    allowed = start_afresh() + more
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.mem_get_info()[1])
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize(
    ("precision", "bounds"),
    [("float32", (1e-4, 0.01, 1.5)), ("bfloat16", (5e-3, 0.03, 3.0))],
)
def test_a_run_goes_on_in_tiles(
    large: Any, precision: str, bounds: tuple[float, float, float]
) -> None:
    before = start_afresh()
    whole = large.go(large.plan("whole", precision=precision, **WHOLE))
    peak = torch.cuda.max_memory_allocated() - before
    assert whole.notes == []

    with at_most(peak // 2):
        tiled = large.go(large.plan("tiled", precision=precision, **WHOLE))
    assert tiled.status == "finished"
    assert "memory has run out; continuing in tiles of 512 pixels" in tiled.notes[0]
    # Sums over tiles are those of the whole, in another order (test_pipeline.py).
    of_first, of_any, levels = bounds
    assert tiled.totals[0] == pytest.approx(whole.totals[0], rel=of_first)
    assert tiled.totals == pytest.approx(whole.totals, rel=of_any)
    assert tiled.distance(whole) < levels


def test_where_there_is_no_other_way_the_error_says_what_to_do(large: Any) -> None:
    """A depth network looks at all of a picture, so that it cannot be cut up."""
    plan = large.plan(losses="depth", precision="float32", **WHOLE)
    large.go(plan)  # so that the libraries have what they need
    before = start_afresh()
    large.go(plan)
    peak = torch.cuda.max_memory_allocated() - before
    with at_most(peak // 2), pytest.raises(InstyleError, match="not enough memory for") as caught:
        large.go(plan)
    assert caught.value.hint == "choose a smaller `size`, or `device: cpu`"
    assert large.go(plan).status == "finished"


def test_a_run_gives_its_memory_back(large: Any) -> None:
    """Graphs keep that of a whole step."""
    large.go(large.plan("first", **WHOLE))  # the libraries keep what they need
    before = start_afresh()
    large.go(large.plan("second", **WHOLE))
    peak = torch.cuda.max_memory_reserved()
    assert peak - before > 200 * MB
    assert start_afresh() - before < 0.1 * (peak - before)
