"""The folder of downloaded files, and whether downloads are allowed."""

from __future__ import annotations

import os
from pathlib import Path

from instyle_core.settings import cache_setting

#: Names the folder of downloaded files; by default it is the user's setting, or in the user's
#: cache folder.
CACHE_VARIABLE = "INSTYLE_CACHE"

#: Set to 1, it forbids downloads.
OFFLINE_VARIABLE = "INSTYLE_OFFLINE"


def cache_folder() -> Path:
    """Where downloaded files are kept; it need not exist yet."""
    return user_folder("weights", of_its_own=False)


def user_folder(name: str, *, of_its_own: bool = True) -> Path:
    """A folder for what instyle keeps between runs; it need not exist yet.

    Args:
        name: of the folder, in the user's cache folder.
        of_its_own: where `CACHE_VARIABLE` or the user's setting names a folder, whether to return a
            folder inside of it instead of that folder itself.

    Raises:
        InputError: the user's settings cannot be read.
    """
    chosen = os.environ.get(CACHE_VARIABLE) or cache_setting()
    if chosen:
        folder = Path(chosen).expanduser().absolute()
        return folder / name if of_its_own else folder
    import pooch

    return Path(pooch.os_cache("instyle"), name)


def offline() -> bool:
    """Whether downloads are forbidden."""
    return os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")
