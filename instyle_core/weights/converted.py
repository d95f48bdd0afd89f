"""Weights in the form that a network computes with, kept for the next start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from instyle_core.errors import InstyleError
from instyle_core.files import write_atomically
from instyle_core.weights.cache import user_folder
from instyle_core.weights.fetch import fetch
from instyle_core.weights.record import Weights


def converted(
    weights: Weights, convert: Callable[[Path], dict[str, Tensor]], version: int = 1
) -> dict[str, Tensor]:
    """The tensors that `convert` makes of a weight file; the result is kept in the cache.

    The cached copy is a safetensors file with just what the network needs, and is memory-mapped. It
    is made anew when the weight file or `version` changes. If the cache folder cannot be written
    to, or the copy is damaged, `convert` is called each time.

    Args:
        weights: which; fetched if they are not there yet.
        convert: makes contiguous tensors, by name, of the published file.
        version: to be raised by 1 whenever `convert` is changed.

    Raises:
        WeightsError: as `instyle_core.fetch` does.
    """
    path = fetch(weights)
    file = path.stat()
    # With size and time: a file that was saved by hand may be the wrong one and be replaced later.
    origin = {"of": f"{weights.sha256} {file.st_size} {file.st_mtime_ns} {version}"}
    copy = user_folder("converted") / f"{weights.name}.safetensors"
    with contextlib.suppress(OSError, SafetensorError), safe_open(copy, framework="pt") as kept:
        if kept.metadata() == origin:
            return {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    state = convert(path)
    with contextlib.suppress(OSError, InstyleError):
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, save(state, metadata=origin))
    return state
