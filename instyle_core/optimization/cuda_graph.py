"""A step's work on a GPU, recorded once and played back.

A step is some hundreds of small kernels, which a GPU is through with sooner than Python has asked
for them. A recording (a CUDA graph) asks for all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from instyle_core.errors import PluginError

#: Steps that are taken one kernel at a time before any is recorded: memory and kernels are chosen.
WARM_UP = 3


def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
    """Record what a function has a GPU do.

    Args:
        compute: reads and writes the same tensors each time; its value is a tensor of numbers.

    Returns:
        What plays it back and gives the same tensor with new numbers; None where that cannot be
        done: losses may look at numbers on the way, which a recording cannot.
    """
    expected = compute().clone()
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = compute()
    except (RuntimeError, PluginError):  # that of a plugin is within its error
        return None

    def play() -> Tensor:
        graph.replay()
        return result

    # Sums on a GPU have no fixed order, so that the last digits may differ.
    same = torch.allclose(play(), expected, rtol=1e-2, equal_nan=True)
    return play if same else None
