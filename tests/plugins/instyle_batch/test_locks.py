"""Locks that die with the process that holds them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from instyle_batch import locks as module
from instyle_batch.locks import Locks

HOLD = """
import sys
from pathlib import Path
from instyle_batch.locks import Locks
with Locks(Path(sys.argv[1])).of(sys.argv[2]) as locked:
    print(locked, flush=True)
    sys.stdin.read()
"""


def hold(path: Path, name: str) -> subprocess.Popen[str]:
    """Another process that holds a lock, until its input ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    return process


def test_one_process_has_a_picture_and_others_are_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    locks = Locks(path)
    other = hold(path, "a.jpg")
    with locks.of("a.jpg") as first, locks.of("b.jpg") as second:
        assert (first, second) == (False, True)
    other.communicate("")
    with locks.of("a.jpg") as locked:
        assert locked
    assert path.read_bytes() == b""
    assert locks.work


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    locks = Locks(path)
    other = hold(path, "a.jpg")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with locks.of("a.jpg") as locked:
        assert locked


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    locks = Locks(path)
    with ExitStack() as stack:
        assert stack.enter_context(locks.of("a.jpg"))
    hold(path, "a.jpg").communicate("")  # it asserts that it has it


def test_a_drive_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    locks = Locks(tmp_path / "lock")
    monkeypatch.setattr(module.fcntl, "lockf", refuse)
    with locks.of("a.jpg") as locked:
        assert locked
    assert not locks.work
