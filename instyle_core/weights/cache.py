"""The folder of downloaded files, and whether downloads are allowed."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from instyle_core.errors import CacheWarning, WeightsError
from instyle_core.settings import cache_setting

#: Names the folder of downloaded files; by default it is the user's setting, or in the user's
#: cache folder.
CACHE_VARIABLE = "INSTYLE_CACHE"

#: Set to 1, it forbids downloads.
OFFLINE_VARIABLE = "INSTYLE_OFFLINE"

#: The same for all that uses the Hugging Face hub, with the values that count as yes there.
_HUB_OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
_YES = ("1", "ON", "YES", "TRUE")

#: The folders of computed tensors in the user's cache folder: weights in the form that networks
#: compute with, sums of style pictures, and what plugins have computed.
CONVERTED, TARGETS, COMPUTED = "converted", "targets", "computed"

#: What to do about a folder that cannot be used.
CHOOSE_A_FOLDER = f"set {CACHE_VARIABLE} to a folder that can be written to"


def cache_folder() -> Path:
    """Where downloaded files are kept; it need not exist yet.

    Raises:
        WeightsError: there is none, as `user_folder` says.
    """
    return user_folder("weights", of_its_own=False)


def user_folder(name: str, *, of_its_own: bool = True) -> Path:
    """A folder for what instyle keeps between runs; it need not exist yet.

    Args:
        name: of the folder, in the user's cache folder.
        of_its_own: where `CACHE_VARIABLE` or the user's setting names a folder, whether to return a
            folder inside of it instead of that folder itself.

    Raises:
        WeightsError: nothing tells where it is: the user has no home, or `CACHE_VARIABLE` names
            the home of a user that there is not.
        InputError: the user's settings cannot be read.
    """
    chosen = os.environ.get(CACHE_VARIABLE) or cache_setting()
    try:
        if chosen:
            folder = Path(chosen).expanduser().absolute()
            return folder / name if of_its_own else folder
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("instyle"))
    except (RuntimeError, OSError) as error:  # of pathlib and platformdirs
        raise _nowhere(chosen) from error
    if not folder.is_absolute():  # the answer of older versions of platformdirs
        raise _nowhere(chosen)
    return folder / name


def _nowhere(chosen: str | None) -> WeightsError:
    reason = f"{CACHE_VARIABLE}={chosen} names none" if chosen else "the user has no home"
    return WeightsError(f"there is no cache folder: {reason}", hint=CHOOSE_A_FOLDER)


def warn_not_kept(reason: str) -> None:
    """Say why the cache cannot be used; Python shows the same warning only once."""
    message = f"nothing is kept for the next run: {reason}; {CHOOSE_A_FOLDER}"
    warnings.warn(message, CacheWarning, stacklevel=1)


def forbidden_by() -> str | None:
    """The variable that forbids downloads, if one does."""
    if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        return OFFLINE_VARIABLE
    if os.environ.get(_HUB_OFFLINE_VARIABLE, "").upper() in _YES:
        return _HUB_OFFLINE_VARIABLE
    return None
