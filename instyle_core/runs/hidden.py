"""The hidden folder that a run collects its files in, and what dead runs have left of theirs.

A run holds a lock on its hidden folder for as long as it lives; the system releases it however the
run ends. So a folder without a lock is a dead run's. Where the system has no such locks (Windows),
every folder counts as a living run's, and stays.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from instyle_core.files import write_atomically
from instyle_core.locks import try_lock

#: Seconds to wait for another run that publishes in the same folder.
PATIENCE_S = 30.0

_POLL_S = 0.01

#: In the name of an earlier run's folder while another one takes its place.
_REPLACED = "replaced-"


class HiddenFolder:
    """A new hidden folder beside the run folder `target`, on the same disk.

    Its name has always the same length, however long that of the run folder is.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, target: Path) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
            self._lock = _locked(self.path)
            if self.path.exists():  # else another run took it for a dead one's before it was locked
                break

    def remove(self) -> None:
        """Remove it with all that is in it, unless it has been moved away; unlock it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Unlock it: it is a dead run's from now on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def dead_folders(target: Path) -> list[Path]:
    """What dead runs with this run folder have left, the newest first."""
    found = []
    for path in _siblings(target):
        if _REPLACED not in path.name:
            with _lock_of_dead(path) as is_dead:
                found += [path] if is_dead else []
    return sorted(found, key=os.path.getmtime, reverse=True)


def remove_dead(folder: Path) -> None:
    """Remove what a dead run has left, unless a living run has it now."""
    with _lock_of_dead(folder) as is_dead:
        if is_dead:
            shutil.rmtree(folder, ignore_errors=True)


def restore_replaced(target: Path) -> None:
    """Finish or undo the publishing of a run that died within it."""
    with alone_in(target.parent):
        for path in _siblings(target):
            if _REPLACED in path.name:
                with suppress(OSError):
                    if not os.path.lexists(target):
                        os.replace(path, target)
                shutil.rmtree(path, ignore_errors=True)


def move_to(folder: Path, target: Path) -> None:
    """Move a folder to its place; one that is there is removed, once the new one is in its place.

    To be called within `alone_in` the folder of both.

    Raises:
        OSError: it cannot be moved; then the old one is where it was.
    """
    if not os.path.lexists(target):
        os.replace(folder, target)
        return
    old = Path(tempfile.mkdtemp(prefix=_prefix(target) + _REPLACED, dir=target.parent))
    try:
        os.replace(target, old)
        os.replace(folder, target)
    finally:
        if not os.path.lexists(target):  # only the first of the two was done
            os.replace(old, target)
        shutil.rmtree(old, ignore_errors=True)


def move_file(file: Path, target: Path) -> None:
    """Move a file to its place, whole or not at all; a link there is written through.

    Raises:
        OSError, InstyleError: it cannot be moved.
    """
    there = Path(os.path.realpath(target))
    is_special = there.exists() and not (there.is_file() or there.is_dir())
    try:
        if is_special:  # a pipe or a device is written to, never replaced
            raise OSError(errno.EXDEV, "")
        os.replace(file, there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_atomically(there, file.read_bytes())
        file.unlink()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let other runs wait that publish in the same folder.

    Where the folder cannot be locked, or a run holds the lock for too long, it goes on without.
    """
    lock = None
    ends = time.monotonic() + PATIENCE_S
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY)
    while lock is not None and try_lock(lock) is False and time.monotonic() < ends:
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _prefix(target: Path) -> str:
    """The same for each run with this run folder."""
    return f".instyle-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}-"


def _siblings(target: Path) -> list[Path]:
    # A link by such a name is nobody's remains: what it leads to would be moved or removed.
    with suppress(OSError), os.scandir(target.parent) as entries:
        return [
            target.parent / entry.name
            for entry in entries
            if entry.name.startswith(_prefix(target)) and entry.is_dir(follow_symlinks=False)
        ]
    return []


def _locked(folder: Path) -> int | None:
    """A lock on a folder; None where there are no locks."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return None
    while (locked := try_lock(lock)) is False:  # another run looks whether it is a dead one's
        time.sleep(_POLL_S)
    if locked is None:
        os.close(lock)
        return None
    return lock


@contextmanager
def _lock_of_dead(folder: Path) -> Iterator[bool]:
    """Whether the folder is a dead run's; it is locked within the block then."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # not there any more
        yield False
        return
    try:
        yield try_lock(lock) is True
    finally:
        os.close(lock)
