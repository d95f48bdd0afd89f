"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instyle_core.errors import InstyleError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well, it becomes `path`.

    The temporary path lies in the same folder and has the same suffix. If the block raises,
    `path` is left as it was and the temporary file is removed. A symbolic link is written through.
    The file gets the permissions that the block creates it with, so `open` follows the umask.

    Raises:
        OSError: the temporary file cannot take the place of `path`.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        InstyleError: the file cannot be written (no such folder, no permission, disk full).
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
