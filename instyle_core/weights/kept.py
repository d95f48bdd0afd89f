"""Tensors kept in the cache between runs, and checked whenever they are read.

A file may be damaged in its body, where its header does not show it. So each has a checksum of all
that is in it, which is compared at every start. CRC-32 finds chance damage as well as a
cryptographic hash, but for one case in four thousand million; and it is fast: for the 80 MB of
VGG-19, zlib takes 13 ms, SHA-256 65 ms (and three times that on a processor without instructions
for it). Nobody need be kept from forging these files: who can write to them can replace instyle.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from instyle_core.errors import WeightsError
from instyle_core.files import atomic_write, remove_leftovers
from instyle_core.weights.cache import COMPUTED, user_folder, warn_not_kept

#: If the files of a folder have more bytes than this, those that were not used for longest are
#: removed.
MOST_BYTES = 256 * 2**20


def remembered(of: str, compute: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """The tensors that `compute` makes, which are kept in the cache for the next time.

    If they cannot be kept, or were damaged, they are computed again. The cache holds 256 MiB of
    them; those that were not used for longest are removed.

    Args:
        of: all that the tensors depend on, in any form: pictures, weights, parameters, versions.
        compute: makes contiguous tensors, by name.

    Returns:
        The tensors that were computed; or, on the CPU and memory-mapped, those that were kept.
    """
    folder = kept_folder(COMPUTED)
    if folder is None:
        return compute()
    path = folder / f"{hashlib.sha256(of.encode()).hexdigest()}.safetensors"
    found = recall(path, of)
    if found is None:
        tensors = compute()
        if keep(path, of, tensors):
            remove_oldest(folder)
        return tensors
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def kept_folder(name: str) -> Path | None:
    """A folder of kept tensors, or None if there is no cache; a warning says why."""
    try:
        return user_folder(name)
    except WeightsError as error:
        warn_not_kept(error.what)
        return None


def recall(path: Path, of: str) -> dict[str, Tensor] | None:
    """Read what `keep` wrote, memory-mapped; None if there is nothing, or it is damaged.

    Args:
        path: the file.
        of: what `keep` was told.
    """
    known = _read(path)
    return known[1] if known and known[0] == of else None


def is_whole(path: Path) -> bool:
    """Whether a file is as `keep` wrote it."""
    return _read(path) is not None


def _read(path: Path) -> tuple[str, dict[str, Tensor]] | None:
    with (
        contextlib.suppress(OSError, SafetensorError),
        safe_open(path, framework="pt") as file,
    ):
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata() or {}
        if about == _about(tensors, about.get("of", "")):
            return about["of"], tensors
    return None


def keep(path: Path, of: str, tensors: Mapping[str, Tensor]) -> bool:
    """Write tensors for `recall`. If that is impossible, a warning says so.

    Args:
        path: the file; its folder is made if it is missing.
        of: what the tensors depend on.
        tensors: contiguous, by name.

    Returns:
        Whether they were written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        with atomic_write(path) as part:
            part.write_bytes(save(dict(tensors), metadata=_about(tensors, of)))
    except OSError as error:
        warn_not_kept(f"{path.parent.parent}: {error.strerror or error}")
        return False
    return True


def remove_oldest(folder: Path) -> None:
    """Keep a folder small; other processes may do so at the same time."""
    files = []
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > MOST_BYTES:
            with contextlib.suppress(OSError):
                path.unlink()


def _about(tensors: Mapping[str, Tensor], of: str) -> dict[str, str]:
    checksum = zlib.crc32(of.encode())
    for name, tensor in sorted(tensors.items()):
        form = f"{name} {tensor.dtype} {list(tensor.shape)}"
        checksum = zlib.crc32(form.encode(), checksum)
        content = tensor.detach().cpu().reshape(-1).view(torch.uint8)
        checksum = zlib.crc32(content.numpy().data, checksum)
    return {"of": of, "crc32": f"{checksum:08x}"}
