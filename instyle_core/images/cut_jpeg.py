"""JPEG files that end too early, as other programs read them."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_BLOCK = 16  # rows that are decoded together, for the usual subsampling

#: The largest part of a picture that may be missing.
_MOST_LOST = 0.05


def without_end(data: bytes, load: Callable[[Image.Image], None]) -> tuple[Image.Image, float]:
    """Decode a JPEG without an end marker; what is missing is gray.

    Args:
        data: the file.
        load: loads an opened picture.

    Returns:
        The picture, and which part of it is missing; 0 where only the end marker is.

    Raises:
        ValueError: more than a small part is missing.
    """
    data = data.rstrip(b"\xff")  # the first half of a marker
    # What is missing differs with what is put in its place.
    noise = np.random.default_rng(0).integers(0, 255, 4096, np.uint8).tobytes()
    image, other = (Image.open(io.BytesIO(data + end)) for end in (_END, noise + _END))
    load(image)
    load(other)
    differs = np.asarray(image) != np.asarray(other)
    rows = differs.reshape(image.height, -1)
    first = int(np.argmax(rows.any(axis=1))) if rows.any() else image.height
    lost = max(float(rows.mean()), (image.height - first - _BLOCK) / image.height, 0.0)
    if lost > _MOST_LOST or not _has_all_scans(data):
        raise ValueError("its end is missing")
    return image, lost


def _has_all_scans(data: bytes) -> bool:
    """Whether a JPEG has a scan, if an incomplete one, for each bit of each coefficient."""
    place = 2
    missing: dict[int, list[bool]] = {}
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 4:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9:  # within a scan
            place += 1 if marker == 0xFF else 2
            continue
        body = data[place + 4 : place + 2 + length]
        if marker in (0xC0, 0xC1, 0xC2):  # the frame: its components
            missing = {body[6 + 3 * index]: [True] * 64 for index in range(body[5])}
        elif marker == 0xDA:  # a scan: of some components, a range of coefficients down to a bit
            first, last, bit = body[1 + 2 * body[0] :][:3]
            for component in body[1 : 1 + 2 * body[0] : 2]:
                for coefficient in range(first, min(last, 63) + 1):
                    missing[component][coefficient] = bit & 15 > 0
        place += 2 + length
    return bool(missing) and not any(any(each) for each in missing.values())
