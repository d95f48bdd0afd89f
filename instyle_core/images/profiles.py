"""Color profiles (ICC) of files, and those made for files that describe their colors otherwise."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_Floats = NDArray[np.float64]

_D50 = np.array([0.9642, 1.0, 0.8249])  # the white of profiles, XYZ
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # x, y of white, red, green and blue
_SRGB_GAMMA = 1 / 2.2  # as PNG files have it
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def profile_of(file: BinaryIO, image: Image.Image) -> bytes | None:
    """The profile of a picture; None for sRGB."""
    icc: bytes | None = image.info.get("icc_profile")
    if icc is None and image.format == "PNG":
        return _of_gamma(image.info)
    if icc is None and image.format == "JPEG2000":
        return _of_jpeg_2000(file)
    return icc


def rgb_of_gray(icc: bytes) -> bytes | None:
    """An RGB profile in which (v, v, v) is what v is in a gray one; None for an unusual one.

    Raises:
        struct.error: the profile is damaged.
    """
    (count,) = struct.unpack_from(">I", icc, 128)
    for place in range(132, 132 + 12 * min(count, 100), 12):
        name, offset, length = struct.unpack_from(">4sII", icc, place)
        if name == b"kTRC" and icc[20:24] == b"XYZ ":
            return _profile(_SRGB, icc[offset : offset + length])
    return None


def _of_gamma(info: Mapping[Any, Any]) -> bytes | None:
    """From the chunks gAMA and cHRM of a PNG, as its specification has it."""
    if "srgb" in info or not ("gamma" in info or "chromaticity" in info):
        return None
    gamma = info.get("gamma", _SRGB_GAMMA)
    corners = info.get("chromaticity", _SRGB)
    near = np.abs(np.subtract(corners, _SRGB)).max() < 0.005
    if (abs(gamma - _SRGB_GAMMA) < 0.02 and near) or not 0.01 < gamma < 100:
        return None
    try:
        return _profile(corners, struct.pack(">4s4xIH", b"curv", 1, round(256 / gamma)))
    except (ArithmeticError, ValueError, struct.error):  # there are no such colors
        return None


def _of_jpeg_2000(file: BinaryIO) -> bytes | None:
    """From the box ``colr``, which Pillow does not read."""
    file.seek(0)
    data = file.read()
    start = data.find(b"colr")
    if 0 < start < data.find(b"jp2c") and data[start + 4] in (2, 3):
        (length,) = struct.unpack_from(">I", data, start - 4)
        return data[start + 7 : start - 4 + length]
    return None


def _profile(corners: Sequence[float], curve: bytes) -> bytes:
    """An RGB profile: white and primaries as x and y, and the curve of each channel, as a tag."""
    white, *primaries = (_xyz(x, y) for x, y in np.reshape(corners, (4, 2)))
    matrix = np.transpose(primaries)
    matrix = matrix * np.linalg.solve(matrix, white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    columns = (adapted @ _BRADFORD @ matrix).T
    tags = {b"desc": _text("RGB"), b"cprt": _text("none"), b"wtpt": _point(_D50)}
    tags |= zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_point, columns), strict=True)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, offset = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    kind = struct.pack(">I4x4s12s", offset + len(body), b"\x04\x20\0\0", b"mntrRGB XYZ ")
    date = struct.pack(">6H4s28x", 2000, 1, 1, 0, 0, 0, b"acsp")
    head = (kind + date + _point(_D50)[8:]).ljust(128, b"\0")
    return head + struct.pack(">I", len(tags)) + table + body


def _xyz(x: float, y: float) -> _Floats:
    if not y > 0:
        raise ValueError("a color without light")
    return np.array([x / y, 1, (1 - x - y) / y])


def _point(xyz: _Floats) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in xyz))


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(encoded), 28) + encoded
