"""Where a run is computed, and how precisely."""

from __future__ import annotations

import os
import platform
from typing import Any, Literal

import torch

from instyle_core.errors import InputError, text_of


def choose_device(name: str) -> torch.device:
    """The device that a spec names; ``auto`` is the accelerator that torch finds, or the processor.

    Raises:
        InputError: this machine has no such device.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return torch.device(found.type if found else "cpu")
    device = torch.device(name)
    count = torch.accelerator.device_count() if found and found.type == device.type else 0
    if device.type != "cpu" and (device.index or 0) >= count:
        kinds = f"cpu and {found.type}" if found else "cpu alone"
        hint = f"it finds {kinds}; `device: auto` picks one"
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
    # A processor without bfloat16 instructions emulates them, which is slower than float32. Only a
    # private function of torch tells; where a release lacks it, float32 is the safe choice.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fast = device.type == "cpu" and supported()
    return torch.bfloat16 if fast else torch.float32


def choose_tile(wanted: int | Literal["auto"], device: torch.device, precision: torch.dtype) -> int:
    """The side, in pixels, of the tiles that larger pictures are computed in; 0 for no tiles.

    When a GPU's memory is full, torch raises an error, and the run goes on in tiles from then on.
    When main memory is full, the system kills the program; so a processor uses tiles at once.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cpu":
        return 0
    return 1152 if precision.itemsize == 2 else 840  # so that 2048 pixels take less than 6 GB


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory is full; only CUDA GPUs have a type for it."""
    signs = ("allocate memory", "out of memory", "ALLOC_FAILED")  # processor; GPU; its libraries
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text_of(error) for sign in signs
    )


def describe_machine(device: torch.device, precision: torch.dtype) -> dict[str, Any]:
    """What ``run.json`` tells about the machine that computed a run."""
    cpu = f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "device": str(device),
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "precision": str(precision).removeprefix("torch."),
    }
