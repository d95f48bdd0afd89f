"""Whether a file can be one of weights, told by its header: nothing heavy is imported."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

from instyle_core.errors import InputError

#: What torch began its files with before they were zip archives.
_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")

#: More bytes than the header of any safetensors file has; safetensors has the same limit.
_MOST_HEADER = 100_000_000


def check_header(path: Path) -> None:
    """Find out whether `read_state_dict` may be able to read a file, without reading all of it.

    Raises:
        InputError: it cannot be read, is no file of weights, or its end is missing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(max(9, len(_LEGACY)))
            if path.suffix == ".safetensors" or head[8:9] == b"{":
                length = int.from_bytes(head[:8], "little")
                file.seek(8)
                text = file.read(length) if length <= _MOST_HEADER else b""
                fine = _is_whole(text, path.stat().st_size - 8 - length)
            else:
                fine = head.startswith(_LEGACY) or zipfile.is_zipfile(file)
                fine = fine or tarfile.is_tarfile(path)
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        raise InputError(what, where=str(path)) from error
    if not fine:
        what = "the file is damaged, or no file of weights"
        raise InputError(what, where=str(path), hint="check the path, or get the file again")


def _is_whole(text: bytes, size: int) -> bool:
    """Whether a header of safetensors describes as many bytes as there are."""
    try:
        tensors = {name: about for name, about in json.loads(text).items() if name[:2] != "__"}
        ends = [about["data_offsets"][1] for about in tensors.values()]
        return max(ends, default=0) == size
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return False
