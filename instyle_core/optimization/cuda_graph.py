"""The work of a step on a GPU, captured once as a CUDA graph and replayed.

A step launches hundreds of small kernels, and the GPU finishes each sooner than Python can launch
the next. A CUDA graph launches all of them at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from instyle_core.device import is_out_of_memory
from instyle_core.errors import PluginError
from instyle_core.optimization.random_state import random_state, restore_random_state

#: Steps that run without a graph first, while memory is allocated and kernels are selected.
WARM_UP = 3


def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
    """Capture the GPU work of a function in a CUDA graph.

    Random numbers are drawn as if nothing had been tried, so that a resumed run draws the same even
    though it captures at another step.

    Args:
        compute: reads and writes the same tensors at every call, and returns a tensor.

    Returns:
        A function that replays the graph and returns the same tensor with new values; None if the
        work cannot be captured, for instance because a loss reads a value back from the GPU.

    Raises:
        RuntimeError: memory is full before anything is captured.
    """
    before = random_state()
    try:
        return _capture(compute, before)
    finally:
        restore_random_state(before)


def _capture(compute: Callable[[], Tensor], random: list[Tensor]) -> Callable[[], Tensor] | None:
    # Run once before it is captured: torch up to 2.12 never frees the memory of a capture that
    # fails (its pull requests 180395 and 190348).
    try:
        with _waiting_refused():
            expected = compute().clone()
    except (RuntimeError, PluginError) as error:  # a plugin's RuntimeError is within its error
        if is_out_of_memory(error):
            raise
        return None
    graph = torch.cuda.CUDAGraph()
    try:
        # The outer block restores the stream, which torch does not do where a capture fails.
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
            result = compute()
    except (RuntimeError, PluginError):
        return None

    def replay() -> Tensor:
        graph.replay()
        return result

    restore_random_state(random)  # for the numbers that `expected` has been computed with
    # Sums on a GPU have no fixed order, so the last digits may differ.
    same = torch.allclose(replay(), expected, rtol=1e-2, equal_nan=True)
    return replay if same else None


@contextmanager
def _waiting_refused() -> Iterator[None]:
    """Have torch raise where the processor waits for the GPU, as it does to read a value."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():  # torch warns that it does not find all such places
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
