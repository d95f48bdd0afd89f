"""Where torch's random numbers stand, so that a resumed run draws what it would have drawn."""

from __future__ import annotations

import torch
from torch import Tensor


def random_state() -> list[Tensor]:
    """Where torch's generators stand.

    Returns:
        A tensor of bytes for the processor's and, once CUDA is in use, one for each device.
    """
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if in_use else []
    return [torch.get_rng_state(), *cuda]


def restore_random_state(state: list[Tensor]) -> None:
    """Put the generators where they stood when `random_state` was called."""
    processor, *cuda = state
    torch.set_rng_state(processor.cpu())
    if cuda:
        torch.cuda.set_rng_state_all([generator.cpu() for generator in cuda])
