"""Which devices a batch uses, and how many workers."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os

import torch

from instyle_core import InputError

#: Memory that a worker needs at least, in bytes: networks, and a picture of 512 pixels.
NEEDED = 2 << 30


def devices_of(text: str, workers: int | None) -> tuple[list[str | None], list[str]]:
    """A device for each worker, and notes.

    Args:
        text: ``auto`` for every GPU with room, or where the spec says if there is none; or numbers
            of GPUs and names of devices, such as ``0,1`` or ``cpu``.
        workers: how many there are to be; as many as devices when None.

    Raises:
        InputError: a device is none.
    """
    notes: list[str] = []
    found: list[str | None] = []
    if text == "auto":
        for number in range(torch.cuda.device_count()):
            free, _ = torch.cuda.mem_get_info(number)
            if free >= NEEDED:
                found.append(f"cuda:{number}")
            else:
                notes.append(f"cuda:{number} has {free / 1e9:.1f} GB free: it is left out")
        found = found or [None]
    else:
        for part in filter(None, (part.strip() for part in text.split(","))):
            name = f"cuda:{part}" if part.isdecimal() else part
            found.append(name)
    if not found:
        raise InputError("no device is named", where=f"--devices {text}", hint="such as 0,1 or cpu")
    if workers:
        found = [found[number % len(found)] for number in range(workers)]
        room = _room(len(found))
        if room < len(found) and all(name in (None, "cpu") for name in found):
            notes.append(f"there is memory for {room} workers, not for {len(found)}")
            found = found[:room]
    return found, notes


def _room(wanted: int) -> int:
    """How many workers the free memory of this machine holds; at least one."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not told here
        return wanted
    return max(1, min(wanted, free // NEEDED))
