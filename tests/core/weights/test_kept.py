"""Kept tensors: the same when they are read, or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from instyle_core.errors import CacheWarning
from instyle_core.weights import kept
from instyle_core.weights.kept import is_whole, keep, kept_folder, recall, remembered

TENSORS = {
    "float": torch.linspace(-1, 1, 300).reshape(3, 100),
    "half": torch.ones(2, 2, dtype=torch.bfloat16),
    "flags": torch.tensor([True, False]),
    "whole": torch.arange(4),
    "number": torch.tensor(7.0),
    "none": torch.empty(0, 3),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kept" / "a.safetensors"
    assert keep(path, "of this", TENSORS)
    return path


def same(known: dict[str, Tensor] | None) -> bool:
    return known is not None and all(
        known[name].dtype == tensor.dtype and torch.equal(known[name], tensor)
        for name, tensor in TENSORS.items()
    )


def test_what_is_kept_is_recalled(path: Path) -> None:
    assert same(recall(path, "of this"))
    assert is_whole(path)
    assert os.listdir(path.parent) == [path.name]


def test_of_something_else(path: Path) -> None:
    assert recall(path, "of that") is None
    assert recall(path.with_name("b.safetensors"), "of this") is None


@given(at=st.floats(0, 1, exclude_max=True), count=st.integers(1, 64), byte=st.integers(0, 255))
@settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
def test_any_damage_is_found(at: float, count: int, byte: int, path: Path) -> None:
    whole = path.read_bytes()
    start = int(at * len(whole))
    damaged = whole[:start] + bytes([byte]) * min(count, len(whole) - start)
    damaged += whole[len(damaged) :]
    other = path.with_name("damaged.safetensors")
    other.write_bytes(damaged)
    assert same(recall(other, "of this")) if damaged == whole else not is_whole(other)


@given(length=st.floats(0, 1, exclude_max=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
def test_a_torn_file(length: float, path: Path) -> None:
    whole = path.read_bytes()
    other = path.with_name("torn.safetensors")
    other.write_bytes(whole[: int(length * len(whole))])
    assert not is_whole(other)


def test_a_file_without_a_checksum(path: Path) -> None:
    """As instyle 0.1.0 wrote it."""
    save_file(TENSORS, path, metadata={"of": "of this"})
    assert recall(path, "of this") is None


def test_a_form_that_has_the_same_bytes(path: Path) -> None:
    whole = path.read_bytes()
    assert b"[3,100]" in whole
    path.write_bytes(whole.replace(b"[3,100]", b"[100,3]"))
    assert recall(path, "of this") is None


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """A file in the folder's place stops even those who may write anywhere."""
    (tmp_path / "cache").touch()
    path = tmp_path / "cache" / "kept" / "a.safetensors"
    with pytest.warns(CacheWarning, match="Not a directory") as caught:
        assert not keep(path, "of this", TENSORS)
    assert str(tmp_path / "cache") in str(caught[0].message)
    assert recall(path, "of this") is None


def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(CacheWarning, match="No space left on device"):
        assert not keep(path, "of that", TENSORS)
    assert same(recall(path, "of this"))
    assert os.listdir(path.parent) == [path.name]


def test_there_may_be_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", "~nosuch-user/x")
    with pytest.warns(CacheWarning, match="~nosuch-user/x"):
        assert kept_folder("converted") is None


# --- what plugins compute -------------------------------------------------------------------------


class Computing:
    """Makes tensors, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, Tensor]:
        self.times += 1
        return dict(TENSORS)


def test_what_was_computed_is_remembered(cache: Path) -> None:
    compute = Computing()
    for _ in range(2):
        assert same(dict(remembered("a photo", compute)))
    assert compute.times == 1
    (path,) = (cache / "computed").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert same(dict(remembered("a photo", compute)))
    assert compute.times == 2
    remembered("another photo", compute)
    assert compute.times == 3


def test_without_a_cache_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", "~nosuch-user/x")
    compute = Computing()
    for times in (1, 2):
        with pytest.warns(CacheWarning):
            assert same(dict(remembered("a photo", compute)))
        assert compute.times == times


def test_what_was_not_used_for_longest_is_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, paths = Computing(), {}
    for time_, of in enumerate("abc", start=1):
        remembered(of, compute)
        (paths[of],) = {*(cache / "computed").iterdir()} - {*paths.values()}
        os.utime(paths[of], (1000 * time_, 1000 * time_))
    remembered("a", compute)  # the oldest, but used again
    monkeypatch.setattr(kept, "MOST_BYTES", 3 * paths["a"].stat().st_size)
    remembered("d", compute)
    assert compute.times == 4
    assert [of for of in "abc" if paths[of].exists()] == ["a", "c"]


def test_leftovers_of_killed_processes_are_removed(path: Path) -> None:
    old, new = (path.with_name(f".{digit * 16}.safetensors") for digit in "0f")
    for file in (old, new):
        file.touch()
    os.utime(old, (time.time() - 8 * 86400,) * 2)
    keep(path, "of this", TENSORS)
    assert sorted(os.listdir(path.parent)) == [new.name, path.name]


@pytest.mark.parametrize("same", [True, False])
def test_many_processes_at_once(same: bool, tmp_path: Path) -> None:
    """They replace a file that others read; what is recalled is right.

    It is always there if all write the same, as instyle does. Else a reader may get the header of
    one file and the tensors of the next, since safetensors opens a file twice; the checksum tells
    this, and nothing is recalled.
    """
    code = f"""
import os, torch
from pathlib import Path
from instyle_core.weights.kept import keep, recall
path = Path({str(tmp_path)!r}) / "many" / "a.safetensors"
for process in range(8):
    if os.fork() == 0:
        for number in range(15):
            of = "this" if {same} else str(number)
            value = 0.5 if {same} else float(number)
            kept = keep(path, of, {{"a": torch.full((20_000,), value)}})
            known = recall(path, of)
            if not kept or (known is None and {same}):
                print("nothing is kept", flush=True)
            if known is not None and known["a"].unique().tolist() != [value]:
                print(f"{{known}} instead of {{value}}", flush=True)
        os._exit(0)
print([os.wait()[1] for _ in range(8)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert (done.stdout, done.stderr) == (f"{[0] * 8}\n", "")
    assert os.listdir(tmp_path / "many") == ["a.safetensors"]
    assert is_whole(tmp_path / "many" / "a.safetensors")
