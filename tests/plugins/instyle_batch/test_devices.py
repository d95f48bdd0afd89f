"""A worker for each device with room."""

from __future__ import annotations

import os
from pathlib import Path

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
    found, notes = devices_of("auto", None, 9)
    assert found == ["cuda:0", "cuda:2"]
    assert notes == ["cuda:1 has 1.0 GB free: it is left out"]


@pytest.mark.parametrize(
    ("photos", "cores", "memory", "workers"),
    [(0, 4, 9, 1), (7, 4, 9, 1), (8, 4, 9, 2), (99, 4, 9, 4), (99, 4, 2.9, 2), (99, 4, 0.1, 1)],
)
def test_on_a_processor_as_many_as_pay(
    monkeypatch: pytest.MonkeyPatch, photos: int, cores: int, memory: float, workers: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    tell(monkeypatch, memory)
    assert devices_of("auto", None, photos) == ([None] * workers, [])
    assert devices_of("auto", 1, photos) == ([None], [])


def tell(monkeypatch: pytest.MonkeyPatch, workers: float) -> None:
    """Let the system tell of free memory for so many workers."""
    text = f"MemTotal: 9 kB\nMemAvailable: {round(workers * NEEDED / 1024)} kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self: text)


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
    assert devices_of(text, workers, 9) == (expected, [])


def test_as_many_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, 3.5)
    found, notes = devices_of("cpu", 5, 99)
    assert found == ["cpu"] * 3
    assert notes == ["there is memory for 3 workers, not for 5"]
    tell(monkeypatch, 0.5)
    assert devices_of("cpu", 5, 99)[0] == ["cpu"]


def test_nothing() -> None:
    with pytest.raises(InputError, match="no device is named"):
        devices_of(" , ", None, 9)
