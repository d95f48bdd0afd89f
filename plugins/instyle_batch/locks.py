"""Locks by which batches on one folder share the work: a byte for each picture, in one file.

The system releases the locks of a process however it ends, so that none is left that blocks. They
are POSIX record locks, which NFS and SMB pass on to the server: it releases those of a machine that
is gone once its lease ends. Where a drive has none, batches are not kept apart, and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    windows: Any = import_module("msvcrt")


class Locks:
    """Locks of pictures, by name.

    A process must open the file once: closing it a second time would release all of its locks.

    Args:
        path: the file; it is made, and stays empty.

    Attributes:
        work: whether the drive has locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.work = True

    @contextmanager
    def of(self, name: str) -> Iterator[bool]:
        """Lock a picture within the block, and tell whether it is: False if another process has it.

        Where the drive has no locks, each counts as locked.
        """
        place = int.from_bytes(sha256(name.encode(errors="surrogateescape")).digest()[:4]) >> 1
        locked = self._lock(place)
        try:
            yield locked
        finally:
            if locked:
                self._unlock(place)

    def _lock(self, place: int) -> bool:
        try:
            if fcntl:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            else:
                os.lseek(self._file, place, os.SEEK_SET)
                windows.locking(self._file, windows.LK_NBLCK, 1)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            self.work = False
        return True

    def _unlock(self, place: int) -> None:
        try:
            if fcntl:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
            else:
                os.lseek(self._file, place, os.SEEK_SET)
                windows.locking(self._file, windows.LK_UNLCK, 1)
        except OSError:
            self.work = False
