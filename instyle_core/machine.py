"""Where a run is computed, and how precisely."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from instyle_core.errors import InputError


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
    if name == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Without instructions of its own, a processor emulates bfloat16, which is slower. Torch keeps
    # the question private; a release without it is taken to have a processor without them.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fast = device.type == "cpu" and supported()
    return torch.bfloat16 if fast else torch.float32


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
