"""Where a run is computed, and how precisely."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from typing import Any, Literal

import torch

from instyle_core.errors import InputError

# Of malloc.h.
_M_TRIM_THRESHOLD = -1


_M_MMAP_MAX = -4


def choose_device(name: str) -> torch.device:
    """The device that a spec names; ``auto`` is the fastest that there is.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        found = [kind for kind, available in there.items() if available]
        hint = f"there is: {', '.join(found)}; `device: auto` picks one"
        raise InputError(f"torch finds no device '{name}' here", hint=hint)
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The precision that a spec names; ``auto`` is bfloat16 where the processor is fast at it."""
    if name == "float32":
        return torch.float32
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if device.type == "cuda":
        # By default, torch counts GPUs that emulate it.
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if supported else torch.float32
    # Without instructions of its own, a processor emulates bfloat16, which is slower. Torch keeps
    # the question private; a release without it is taken to have a processor without them.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fast = device.type == "cpu" and supported()
    return torch.bfloat16 if fast else torch.float32


def choose_tile(wanted: int | Literal["auto"], device: torch.device, precision: torch.dtype) -> int:
    """The side, in pixels, of the tiles that larger pictures are computed in; 0 for none.

    A GPU says when its memory is full, so that tiles can wait until then; a processor's system ends
    the program instead.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cpu":
        return 0
    return 1152 if precision.itemsize == 2 else 840  # so that 2048 pixels take less than 6 GB


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory has run out; only its own of a CUDA GPU has a type for it."""
    signs = ("allocate memory", "out of memory", "ALLOC_FAILED")  # processor; GPU; its libraries
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for what is allocated next.

    By default it gives every large tensor back to the system, which hands it out page by page, each
    set to zero, a moment later: at 1024 pixels, half of a step's time. Only glibc can be told.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def describe_machine(device: torch.device, precision: torch.dtype) -> dict[str, Any]:
    """The facts about where and how a run was computed."""
    cpu = f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "device": str(device),
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "precision": str(precision).removeprefix("torch."),
    }
