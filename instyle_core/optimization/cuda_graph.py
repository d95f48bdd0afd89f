"""A step's work on a GPU, recorded once and played back.

A step is some hundreds of small kernels, which a GPU is through with sooner than Python has asked
for them. A recording (a CUDA graph) asks for all of them at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from instyle_core.device import is_out_of_memory

#: Steps that are taken one kernel at a time before any is recorded: memory and kernels are chosen.
WARM_UP = 3


def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
    """Record what a function has a GPU do.

    Args:
        compute: reads and writes the same tensors each time; its value is a tensor of numbers.

    Returns:
        What plays it back and gives the same tensor with new numbers; None where that cannot be
        done: losses may look at numbers on the way, which a recording cannot.

    Raises:
        RuntimeError: memory has run out before anything was recorded.
    """
    # Tried out before it is recorded: torch up to 2.12 keeps the memory of a recording that fails
    # for good (its pull requests 180395 and 190348).
    try:
        with _waiting_refused():
            expected = compute().clone()
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        return None
    graph = torch.cuda.CUDAGraph()
    try:
        # The outer block is for a recording that fails: torch would go on in its stream.
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
            result = compute()
    except RuntimeError:
        return None

    def play() -> Tensor:
        graph.replay()
        return result

    # Sums on a GPU have no fixed order, so that the last digits may differ.
    same = torch.allclose(play(), expected, rtol=1e-2, equal_nan=True)
    return play if same else None


@contextmanager
def _waiting_refused() -> Iterator[None]:
    """Have torch raise where the processor waits for the GPU, as it does to look at a number."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():  # that it does not find all such places
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
