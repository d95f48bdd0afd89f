"""What could stop a run from publishing its files, found out before any work by trying it."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from instyle_core.errors import InputError


def problems(output: Path, folder: Path) -> list[InputError]:
    """What keeps a picture and a run folder from being written, or from replacing older ones.

    Small files and folders are written, replaced and removed where the run's own will be. What
    cannot be tried without harm to an older picture is looked up: its owner, and mount points.

    Args:
        output: the picture; it may exist, and may be a symbolic link.
        folder: the run folder, likewise.
    """
    found = [_of_file(output), _of_folder(folder)]
    different = {str(problem): problem for problem in found if problem}
    return [*different.values()]


def _of_file(output: Path) -> InputError | None:
    path = Path(os.path.realpath(output))
    found = _problem(path, "the picture")
    if found and os.path.exists(path) and not (path.is_file() or path.is_dir()):
        return None  # a pipe or a device is written to, never replaced
    return found


def _of_folder(folder: Path) -> InputError | None:
    path = Path(os.path.realpath(folder))
    found = _problem(path, "the run folder")
    if found is None and _exists(path) and not (path / "run.json").is_file():
        what = "the run's files go here, but this is not the folder of an earlier run"
        return _error(path, what, "move it away, or choose another output")
    return found


def _problem(path: Path, what: str) -> InputError | None:
    try:
        there = _exists(path)
    except OSError as error:  # such as a name that is too long, or a link to itself
        return _error(path, f"{what} cannot be written here: {error.strerror or error}")
    try:
        _rehearse(path.parent)
    except OSError as error:
        what = f"the folder cannot be written to: {error.strerror or error}"
        return _error(path.parent, what, "change its permissions, make room, or choose another")
    if there and is_mount_point(path):
        return _error(path, f"{what} cannot be replaced: something is mounted here")
    if there and _belongs_to_somebody_else(path):
        return _error(
            path, f"{what} is somebody else's, in a folder where only they may replace it"
        )
    return None


def _error(path: Path, what: str, hint: str = "choose another output") -> InputError:
    return InputError(what, where=str(path), hint=hint)


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _rehearse(folder: Path) -> None:
    """Write, replace and move in a folder what a run does.

    Raises:
        OSError: something of it cannot be done.
    """
    with tempfile.TemporaryDirectory(prefix=".instyle-try-", dir=folder) as name:
        picture, moved = Path(name, "picture"), Path(f"{name}-moved")
        picture.write_bytes(b"instyle")
        try:
            os.replace(picture, moved)
            os.replace(moved, picture)
            os.replace(name, moved)
            os.replace(moved, name)
        finally:
            with suppress(OSError):
                moved.unlink()


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted here, a single file included, so that it cannot be renamed."""
    if os.path.ismount(path):
        return True
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # no Linux
        return False
    unescape = re.compile(r"\\([0-7]{3})")
    places = (line.split(" ")[4] for line in table.splitlines() if line.count(" ") > 4)
    return str(path) in (unescape.sub(lambda m: chr(int(m[1], 8)), place) for place in places)


def _belongs_to_somebody_else(path: Path) -> bool:
    """Whether only its owner or the folder's may replace it, and the user is neither (nor root)."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return False
    folder = path.parent.stat()
    sticky = bool(folder.st_mode & stat.S_ISVTX)
    return sticky and os.geteuid() not in (folder.st_uid, path.lstat().st_uid)
