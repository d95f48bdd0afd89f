"""Weights in the form that a network computes with, kept for the next start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from instyle_core.weights.cache import CONVERTED
from instyle_core.weights.fetch import fetch, obtain
from instyle_core.weights.kept import keep, kept_folder, recall
from instyle_core.weights.record import Weights


def converted(
    weights: Weights, convert: Callable[[Path], dict[str, Tensor]], version: int = 1
) -> dict[str, Tensor]:
    """The tensors that `convert` makes of a weight file; the result is kept in the cache.

    The cached copy is a safetensors file with just what the network needs, and is memory-mapped. It
    is made anew when the weight file or `version` changes, or when the copy is damaged. If it
    cannot be kept, `convert` is called each time.

    Args:
        weights: which; fetched if they are not there yet.
        convert: makes contiguous tensors, by name, of the published file.
        version: to be raised by 1 whenever `convert` is changed.

    Raises:
        WeightsError: as `instyle_core.fetch` does.
    """
    folder = kept_folder(CONVERTED)
    copy = folder / f"{weights.name}.safetensors" if folder else None
    path = obtain(weights)  # not hashed unless it is read
    known = recall(copy, _origin(weights, path, version)) if copy else None
    if known is not None:
        return known
    path = fetch(weights)
    state = convert(path)
    if copy:
        keep(copy, _origin(weights, path, version), state)
    return state


def _origin(weights: Weights, path: Path, version: int) -> str:
    # With size and time: a file that was saved by hand may be replaced by another.
    file = path.stat()
    return f"{weights.sha256} {file.st_size} {file.st_mtime_ns} {version}"
