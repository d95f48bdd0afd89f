"""Files of weights that should never be loaded, for `hostile.py`, and bytes that are damaged."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Canary:
    """A pickle of it makes a file when it is read without care."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._path),))


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Some bits or bytes are others, or some are missing."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 20])):
        at = chance.randrange(max(1, len(changed))) if chance.random() < 0.6 else 0
        at = at or chance.randrange(max(1, min(len(changed), 64)))
        if not changed:
            return b""
        changed[at] = chance.choice([0, 255, changed[at] ^ (1 << chance.randrange(8))])
    if chance.random() < 0.2:
        del changed[at : at + chance.randint(1, 40)]
    return bytes(changed)


def safetensors(header: Any, body: bytes = bytes(64), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def saved(content: Any, **more: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **more)
    return buffer.getvalue()


def deflated(data: bytes) -> bytes:
    """The same archive, compressed; a tensor of zeros becomes a bomb."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", 8) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return buffer.getvalue()


def weights_file(chance: random.Random, canary: Path) -> tuple[str, bytes]:
    """Bytes that should never be loaded, and what they are."""

    def tensor(low: Any, high: Any, shape: Any, kind: str = "F32") -> dict[str, Any]:
        return {"dtype": kind, "shape": shape, "data_offsets": [low, high]}

    kinds: dict[str, Callable[[], bytes]] = {
        "a pickle": lambda: pickle.dumps(Canary(canary), protocol=2),
        "a pickle in torch": lambda: saved({"a": torch.ones(2), "b": Canary(canary)}),
        "an old pickle in torch": lambda: saved(
            {"a": Canary(canary)}, _use_new_zipfile_serialization=False
        ),
        "compressed": lambda: deflated(saved({"weight": torch.zeros(3 * 10**7)})),
        "expanded": lambda: saved({"weight": torch.zeros(1).expand(2**20, 2**20)}),
        "sparse": lambda: saved({"w": torch.sparse_coo_tensor([[0]], [1.0], (2**40,))}),
        "not finite": lambda: saved({"weight": torch.full((3,), float("nan"))}),
        "no tensors": lambda: saved({"state_dict": {"a": {"b": [1, 2]}}}),
        "a long header": lambda: safetensors({"a": tensor(0, 64, [16])}, length=2**63),
        "a header of 4 GB": lambda: safetensors({"a": tensor(0, 64, [16])}, length=2**32),
        "overlapping": lambda: safetensors({"a": tensor(0, 64, [16]), "b": tensor(0, 64, [16])}),
        "negative": lambda: safetensors({"a": tensor(-64, 64, [16])}),
        "a huge shape": lambda: safetensors({"a": tensor(0, 64, [2**62, 4])}),
        "an unknown type": lambda: safetensors({"a": tensor(0, 64, [16], "F99")}),
        "a text for a shape": lambda: safetensors({"a": tensor(0, 64, "16")}),
        "no mapping": lambda: safetensors([1, 2]),
        "deep": lambda: safetensors(b'{"a":' + b"[" * 100_000),
        "metadata of a list": lambda: safetensors({"__metadata__": [], "a": tensor(0, 64, [16])}),
        "odd metadata": lambda: safetensors(
            {
                "__metadata__": {key: "\x1b[2J[" * 9 for key in ("instyle", "format", "classes")},
                "a": tensor(0, 64, [16]),
            }
        ),
        "other tensors": lambda: safetensors({"a": tensor(0, 64, [16])}),
        "nothing": bytes,
        "garbage": lambda: chance.randbytes(999),
        "an empty archive": lambda: b"PK\5\6" + bytes(18),
    }
    name = chance.choice([*kinds])
    data = kinds[name]()
    if chance.random() < 0.2:
        data, name = flipped(data, chance), f"{name}, flipped"
    return name, data
