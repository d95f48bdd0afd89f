"""TIFF files from scratch."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def pack(values: NDArray[np.integer], bits: int, order: str) -> bytes:
    """Rows of (H, W) samples of any number of bits, each row padded to a byte."""
    if bits in (8, 16):
        return values.astype(f"{order}u{bits // 8}").tobytes()
    places = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(places.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def gray_tiff(
    values: NDArray[np.integer],
    bits: int,
    *,
    white_is_zero: bool = False,
    order: str = "<",
    deflated: bool = False,
    more: Mapping[int, Sequence[int]] = {},
) -> bytes:
    """A gray TIFF of (H, W) samples with so many bits.

    Args:
        order: of bytes, ``<`` or ``>``.
        more: further tags, each with SHORT values of 4 bytes at most.
    """
    height, width = values.shape
    data = pack(values, bits, order)
    data = zlib.compress(data) if deflated else data
    tags: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: [bits],
        259: [8 if deflated else 1],
        262: [0 if white_is_zero else 1],
        277: [1],
        278: [height],
        **more,
    }
    longs = {273: 8, 279: len(data)}
    entries = {
        tag: struct.pack(f"{order}HHI", tag, 3, len(items))
        + b"".join(struct.pack(f"{order}H", item) for item in items).ljust(4, b"\0")
        for tag, items in tags.items()
    } | {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in longs.items()}
    data += b"\0" * (len(data) % 2)
    start = b"II*\0" if order == "<" else b"MM\0*"
    table = b"".join(entry for _, entry in sorted(entries.items()))
    return b"".join(
        [
            *(start, struct.pack(f"{order}I", 8 + len(data)), data),
            *(struct.pack(f"{order}H", len(entries)), table, bytes(4)),
        ]
    )
