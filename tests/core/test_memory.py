"""Freed memory is kept for the next tensor, and returned in the end."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from instyle_core.memory import keep_freed_memory, return_freed_memory


def test_allocating_goes_on_with_memory_that_was_freed() -> None:
    """Of 30 tensors of 32 MiB, each freed before the next, no more than eight are ever held."""
    code = """
import resource, torch
from instyle_core.memory import keep_freed_memory
keep_freed_memory()
keep_freed_memory()  # once for each run of a process
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for number in range(30):
    tensor = torch.full((2**23,), float(number))
    assert float(tensor[-1]) == number
    del tensor
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 2**20 if __import__("sys").platform == "darwin" else 2**10
assert after - before < 256 * unit, (after - before) / unit
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns memory")
def test_in_the_end_it_is_returned() -> None:
    """As much as was freed, although what is still in use lies behind it."""
    code = """
import os, torch
from pathlib import Path
from instyle_core.memory import keep_freed_memory, return_freed_memory
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
keep_freed_memory()
tensors = [torch.full((2**21,), float(number)) for number in range(32)]
before = held()
last = tensors[-1]
del tensors
assert held() > before - 2**24  # it is kept
return_freed_memory()
assert held() < before - 30 * 2**23, (before - held()) / 2**20
assert float(last[-1]) == 31
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_left_alone(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("there is no such library")

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_freed_memory()
    return_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As musl's, whose ``mallopt``, if there is any, may mean other things."""

    class Library:
        def mallopt(self, *_: int) -> None:
            raise AssertionError("it was told")

        malloc_trim = mallopt

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    keep_freed_memory()
    return_freed_memory()


def test_glibc_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        told: dict[int, int]

        def gnu_get_libc_version(self) -> None: ...

        def mallopt(self, what: int, value: int) -> None:
            self.told[what] = value

        def malloc_trim(self, left: int) -> None:
            self.trimmed = left

    library = Library()
    library.told = {}
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    keep_freed_memory()
    # By malloc.h, M_MMAP_MAX is -4 and M_TRIM_THRESHOLD is -1: nothing of its own, nothing back.
    assert library.told == {-4: 0, -1: 2**31 - 1}
    return_freed_memory()
    assert library.trimmed == 0  # nothing is left at the end of the heap
