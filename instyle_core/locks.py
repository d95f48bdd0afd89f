"""Locks on open files and folders, which the system releases however a program ends."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(descriptor: int) -> bool | None:
    """Lock what a descriptor stands for, until it is closed.

    Returns:
        Whether it is locked; False if somebody else holds the lock, None where there are no locks,
        as on Windows and some network drives.
    """
    if not fcntl:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
