"""Locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from instyle_core import locks
from instyle_core.locks import try_lock


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    return os.open(tmp_path, os.O_RDONLY)


def test_one_at_a_time(tmp_path: Path, descriptor: int) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    assert try_lock(descriptor) is True
    assert try_lock(other) is False
    os.close(descriptor)
    assert try_lock(other) is True
    os.close(other)


def test_a_process_that_is_killed_holds_no_lock(tmp_path: Path, descriptor: int) -> None:
    code = (
        "import os, sys; from instyle_core.locks import try_lock; "
        "print(try_lock(os.open(sys.argv[1], os.O_RDONLY)), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert try_lock(descriptor) is False
        process.kill()
    assert try_lock(descriptor) is True


def test_where_there_are_no_locks(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", flock)
        assert try_lock(descriptor) is None
    monkeypatch.setattr(locks, "fcntl", None)
    assert try_lock(descriptor) is None
