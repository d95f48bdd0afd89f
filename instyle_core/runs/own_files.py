"""The files of a run folder that somebody else may have made: they lead nowhere else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def own_file(folder: Path, name: str) -> Path:
    """A file of a folder that is in it: no link leads to it, and it can be read to its end.

    A folder may come from anywhere. Through a link, a run would copy, or later write, a file that
    it has nothing to do with; and a pipe or a device may never end.

    Args:
        folder: of a run; it may be a link itself.
        name: of the file, relative to it.

    Raises:
        OSError: it is not there, or not of this kind.
    """
    path = Path(os.path.realpath(folder), name)
    is_file = stat.S_ISREG(path.lstat().st_mode)
    if not is_file or os.path.realpath(path) != str(path):
        what = "this is no plain file of this folder, but a folder, a link, a pipe or the like"
        raise OSError(errno.EINVAL, what, str(path))
    return folder / name
