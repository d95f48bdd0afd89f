"""Writing files: where they may go, and how they appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from instyle_core.errors import InputError, InstyleError

#: The formats that pictures are written in, by suffix.
PICTURE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".jp2": "JPEG2000",
}

#: The longest sides, in pixels, and the most pixels that formats can hold.
_LONGEST_SIDES = {"JPEG": 65500, "WEBP": 16383, "AVIF": 32768}
_MOST_PIXELS = {"AVIF": 2**28}


def picture_format(path: Path) -> str:
    """The format in which a picture would be written to `path`, if it can be written there.

    Raises:
        InputError: the suffix is unknown, `path` is a folder, or its folder is missing or may not
            be written to.
    """
    where, folder = str(path), path.parent
    form = PICTURE_FORMATS.get(path.suffix.lower())
    if form is None:
        suffix = f"'{path.suffix}'" if path.suffix else "a name without a suffix"
        raise InputError(
            f"{suffix} names no picture format that can be written",
            where=where,
            hint=f"use one of {' '.join(PICTURE_FORMATS)}",
        )
    if os.path.isdir(path):
        raise InputError("this is a folder, not a file", where=where, hint="name a file in it")
    if not os.path.isdir(folder):
        raise InputError(
            f"there is no folder {folder}", where=where, hint="create it, or choose another"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"the folder {folder} may not be written to",
            where=where,
            hint="change its permissions, or choose another",
        )
    return form


#: The names of `atomic_write`'s temporary files; and of downloads that are not finished.
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}(\..*)?|.*\.part")
_LEFT_BEHIND_S = 7 * 24 * 3600.0


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Find out whether the format that a picture's name tells can hold a picture of a size.

    Raises:
        InputError: it cannot.
    """
    form = PICTURE_FORMATS.get(path.suffix.lower(), "")
    what = None
    if max(size) > (longest := _LONGEST_SIDES.get(form, max(size))):
        what = f"{form} holds at most {longest} pixels a side, and the picture has {max(size)}"
    elif size[0] * size[1] > (most := _MOST_PIXELS.get(form, size[0] * size[1])):
        what = f"{form} holds at most {most / 1e6:.4g} megapixels"
    if what:
        raise InputError(what, where=str(path), hint="name the output .png")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well, it becomes `path`.

    The temporary path lies in the same folder and has the same suffix. If the block raises,
    `path` is left as it was and the temporary file is removed. A symbolic link is written through.
    The file gets the permissions that the block creates it with, so `open` follows the umask. It is
    on the disk before it takes its place, so that a power cut leaves the old file or the new one.

    Raises:
        OSError: the temporary file cannot take the place of `path`.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, before anything that relies on them is removed."""
    with suppress(OSError):  # Windows opens no folders, and does this by itself
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished files that killed processes left in a folder, such as the cache's.

    That is, those that nothing was written to for a week. A living process writes to its file all
    the time, and an unfinished download is worth continuing for some days.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _UNFINISHED.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < time.time() - _LEFT_BEHIND_S:
                        os.unlink(entry)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        InstyleError: the file cannot be written, since the folder does not exist, permission is
            missing or the disk is full.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_bytes(data)  # a pipe or a device is written to, never replaced
            return
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InstyleError(
            f"the file could not be written: {error.strerror or error}",
            where=str(path),
            hint="check that the folder exists, may be written to, and has room",
        ) from error


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
