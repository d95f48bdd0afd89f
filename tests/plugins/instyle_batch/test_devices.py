"""A worker for each device with room."""

from __future__ import annotations

import os

import pytest
import torch

from instyle_batch.devices import NEEDED, devices_of
from instyle_core import InputError

GB = 10**9


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Free bytes of made-up GPUs."""
    free = {0: 10 * GB, 1: GB, 2: 4 * GB}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (free[number], 80 * GB))
    return free


def test_every_gpu_with_room(gpus: dict[int, int]) -> None:
    found, notes = devices_of("auto", None)
    assert found == ["cuda:0", "cuda:2"]
    assert notes == ["cuda:1 has 1.0 GB free: it is left out"]


def test_without_a_gpu_the_spec_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices_of("auto", None) == ([None], [])


@pytest.mark.parametrize(
    ("text", "workers", "expected"),
    [
        ("0,1", None, ["cuda:0", "cuda:1"]),
        (" 3 , cpu", None, ["cuda:3", "cpu"]),
        ("mps", None, ["mps"]),
        ("0,1", 3, ["cuda:0", "cuda:1", "cuda:0"]),
        ("0,1", 1, ["cuda:0"]),
    ],
)
def test_those_that_are_named(text: str, workers: int | None, expected: list[str]) -> None:
    assert devices_of(text, workers) == (expected, [])


def test_as_many_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_AVPHYS_PAGES": 3 * NEEDED // 4096 + 7, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    found, notes = devices_of("cpu", 5)
    assert found == ["cpu"] * 3
    assert notes == ["there is memory for 3 workers, not for 5"]
    sizes["SC_AVPHYS_PAGES"] = 1
    assert devices_of("cpu", 5)[0] == ["cpu"]


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no device is named"):
        devices_of(" , ", None)
