"""Weights are converted once, as long as their file is the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from instyle_core import Weights, WeightsError, converted
from instyle_core.errors import CacheWarning


def net(content: str, **changes: str) -> Weights:
    """The record of a file with this content."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    url = "http://localhost:9/net"
    return Weights("net", "net.bin", **({"sha256": digest} | changes), megabytes=1, url=url)


NET = net("3")
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
    return net("03")


def _newer(source: Path) -> Weights:
    os.utime(source, (5, 5))
    return NET


def _other(source: Path) -> Weights:
    return net("3", sha256=NET.sha256[:8])


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
    assert_tripled(converted(net("10"), convert), 10)
    assert_tripled(three)


@pytest.mark.parametrize("damage", ["empty", "short", "garbage", "zeros", "folder"])
def test_a_damaged_copy(copy: Path, damage: str) -> None:
    convert = Converting()
    converted(NET, convert)
    whole = copy.read_bytes()
    zeros = whole[:-16] + bytes(16)  # in the tensors alone
    copy.unlink()
    if damage == "folder":
        copy.mkdir()
    else:
        damages = {"empty": b"", "short": whole[:-1], "garbage": whole[::-1], "zeros": zeros}
        copy.write_bytes(damages[damage])
    for times in (2, 3 if damage == "folder" else 2):
        assert_tripled(converted(NET, convert))
        assert convert.times == times


def test_a_cache_that_cannot_be_written_to(copy: Path) -> None:
    """A file in the folder's place stops even those who may write anywhere."""
    copy.parent.write_bytes(b"")
    convert = Converting()
    for times in (1, 2):
        with pytest.warns(CacheWarning, match="nothing is kept"):
            assert_tripled(converted(NET, convert))
        assert convert.times == times


def test_a_damaged_file_is_not_converted(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source.write_text("4")
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not the file 'net' that was published"):
        converted(NET, Converting())


def test_a_whole_copy_spares_reading_the_file(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(NET, Converting())
    monkeypatch.setattr("instyle_core.weights.fetch.sha256_of", None)
    assert_tripled(converted(NET, Converting()))


def test_a_copy_does_not_stand_in_for_weights_that_are_gone(
    source: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(NET, Converting())
    source.unlink()
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError):
        converted(NET, Converting())
