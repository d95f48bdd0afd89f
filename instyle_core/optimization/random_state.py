"""The state of torch's random number generators, so that a resumed run draws the same numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def random_state() -> list[Tensor]:
    """The states of torch's generators.

    Returns:
        A tensor of bytes for the CPU and, once CUDA is in use, one for each GPU.
    """
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if in_use else []
    return [torch.get_rng_state(), *cuda]


def restore_random_state(state: list[Tensor]) -> None:
    """Return the generators to what `random_state` returned."""
    cpu, *cuda = state
    torch.set_rng_state(cpu.cpu())
    if cuda:
        torch.cuda.set_rng_state_all([generator.cpu() for generator in cuda])


def generator_for(device: torch.device) -> torch.Generator:
    """The generator whose state is kept for a device: torch's own of the CPU, or of a CUDA GPU.

    Other devices use the one of the CPU.
    """
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator
