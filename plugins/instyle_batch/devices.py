"""Which devices a batch uses, and how many workers."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
from pathlib import Path

import torch

from instyle_core import InputError

#: Memory that a worker needs at least, in bytes: networks, and a picture of 512 pixels.
NEEDED = 2 << 30


#: So many photos for each worker are worth its start, which takes about as long as half a photo.
WORTH = 4


def devices_of(text: str, workers: int | None, photos: int) -> tuple[list[str | None], list[str]]:
    """A device for each worker, and notes.

    Args:
        text: ``auto`` for every GPU with room, or where the spec says if there is none; or numbers
            of GPUs and names of devices, such as ``0,1`` or ``cpu``.
        workers: how many there are to be. When None, as many as devices; on a processor, one for
            each core, if there are photos and memory for them: workers with a core each paint
            more than one with all of them.
        photos: how many there are.

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
        if not found:
            found = [None]
            workers = workers or max(1, min(cores(), photos // WORTH, room()))
    else:
        for part in filter(None, (part.strip() for part in text.split(","))):
            found.append(f"cuda:{part}" if part.isdecimal() else part)
    if not found:
        raise InputError("no device is named", where=f"--devices {text}", hint="such as 0,1 or cpu")
    if workers:
        found = [found[number % len(found)] for number in range(workers)]
        if (most := room()) < workers and all(name in (None, "cpu") for name in found):
            notes.append(f"there is memory for {most} workers, not for {workers}")
            found = found[:most]
    return found, notes


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def room() -> int:
    """How many workers the free memory of this machine holds; at least one."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, IndexError):  # no Linux: it is not told
        return cores()
    return max(1, int(kilobytes) * 1024 // NEEDED)
