"""Freed memory: kept for the next tensor within a run, returned to the system after it."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for what is allocated next.

    By default it returns the memory of every large tensor to the system. A moment later it asks for
    as much again, and the system clears every page: at 1024 pixels, that takes half of a step's
    time. Only glibc has this setting.
    """
    if library := _glibc():
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return to the system what `keep_freed_memory` has kept; a process would grow with each run.

    What is left of different sizes lies in pieces between what is still in use.
    """
    if library := _glibc():
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "gnu_get_libc_version") else None
