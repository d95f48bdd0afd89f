"""Weights are converted once, as long as their file is the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from instyle_core import Weights, WeightsError, converted

NET = Weights("net", "net.bin", "0" * 64, 1.0, "none", "A test's.", url="http://localhost:9/net")
STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


class Converting:
    """Reads a number out of the file, and tells how often it did."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: Path) -> dict[str, Tensor]:
        self.times += 1
        return {name: float(path.read_text()) * tensor for name, tensor in STATE.items()}


@pytest.fixture
def source(cache: Path) -> Path:
    cache.mkdir(exist_ok=True)
    path = cache / NET.file
    path.write_text("3")
    return path


@pytest.fixture
def copy(source: Path) -> Path:
    return source.parent / "converted" / "net.safetensors"


def assert_tripled(state: dict[str, Tensor], factor: float = 3) -> None:
    assert state.keys() == STATE.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, factor * STATE[name])


def test_the_second_time_it_is_read(copy: Path) -> None:
    convert = Converting()
    assert_tripled(converted(NET, convert))
    assert_tripled(converted(NET, convert))
    assert convert.times == 1
    assert list(copy.parent.iterdir()) == [copy]


def _replaced(source: Path) -> Weights:
    source.write_text("03")
    return NET


def _newer(source: Path) -> Weights:
    os.utime(source, (5, 5))
    return NET


def _other(source: Path) -> Weights:
    return Weights("net", "net.bin", "1" * 64, 1.0, "none", "A test's.", url=NET.url)


@pytest.mark.parametrize("change", [_replaced, _newer, _other])
def test_another_file_is_converted(
    source: Path, copy: Path, change: Callable[[Path], Weights]
) -> None:
    convert = Converting()
    converted(NET, convert)
    weights = change(source)
    for _ in range(2):
        assert_tripled(converted(weights, convert))
        assert convert.times == 2
    assert list(copy.parent.iterdir()) == [copy]


def test_another_version_is_converted(source: Path) -> None:
    convert = Converting()
    for times, version in enumerate([1, 2, 1], start=1):
        assert_tripled(converted(NET, convert, version))
        assert convert.times == times


def test_what_is_mapped_outlives_its_file(source: Path) -> None:
    convert = Converting()
    converted(NET, convert)
    three = converted(NET, convert)
    source.write_text("10")
    assert_tripled(converted(NET, convert), 10)
    assert_tripled(three)


@pytest.mark.parametrize("damage", ["empty", "short", "garbage", "folder"])
def test_a_damaged_copy(copy: Path, damage: str) -> None:
    convert = Converting()
    converted(NET, convert)
    whole = copy.read_bytes()
    copy.unlink()
    if damage == "folder":
        copy.mkdir()
    else:
        copy.write_bytes({"empty": b"", "short": whole[:-1], "garbage": whole[::-1]}[damage])
    for times in (2, 3 if damage == "folder" else 2):
        assert_tripled(converted(NET, convert))
        assert convert.times == times


def test_a_cache_that_cannot_be_written_to(copy: Path) -> None:
    """A file in the folder's place stops even those who may write anywhere."""
    copy.parent.write_bytes(b"")
    convert = Converting()
    for times in (1, 2):
        assert_tripled(converted(NET, convert))
        assert convert.times == times


def test_a_copy_does_not_stand_in_for_weights_that_are_gone(
    source: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(NET, Converting())
    source.unlink()
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError):
        converted(NET, Converting())
