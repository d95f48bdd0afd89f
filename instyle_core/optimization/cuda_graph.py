"""The work of a step on a GPU, captured once as a CUDA graph and replayed.

A step launches hundreds of small kernels, and the GPU finishes each sooner than Python can launch
the next. A CUDA graph launches all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from instyle_core.errors import PluginError

#: Steps that run without a graph first, while memory is allocated and kernels are selected.
WARM_UP = 3


def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
    """Capture the GPU work of a function in a CUDA graph.

    Args:
        compute: reads and writes the same tensors at every call, and returns a tensor.

    Returns:
        A function that replays the graph and returns the same tensor with new values; None if the
        work cannot be captured, for instance because a loss reads a value back from the GPU.
    """
    expected = compute().clone()
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = compute()
    except (RuntimeError, PluginError):  # that of a plugin is within its error
        return None

    def replay() -> Tensor:
        graph.replay()
        return result

    # Sums on a GPU have no fixed order, so the last digits may differ.
    same = torch.allclose(replay(), expected, rtol=1e-2, equal_nan=True)
    return replay if same else None
