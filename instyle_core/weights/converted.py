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
    """What `convert` makes of the file of some weights, converted once and kept in the cache.

    The copy is a safetensors file of what the network needs and no more, which is mapped into
    memory, not read. It is made anew once the file, or the version, is another. A folder that
    cannot be written to, or a damaged copy, costs nothing but time.

    Args:
        weights: which; fetched if they are not there yet.
        convert: makes contiguous tensors by name out of the published file.
        version: to be counted up when `convert` makes something else.

    Raises:
        WeightsError: as `instyle_core.fetch` does.
    """
    path = fetch(weights)
    file = path.stat()
    # A file that was saved by hand may be the wrong one, and replaced later.
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
