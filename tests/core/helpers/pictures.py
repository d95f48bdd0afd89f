"""Picture files built from scratch, and what colors in them should become."""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image, ImageCms

Array = NDArray[Any]
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> Array:
    top = int(np.iinfo(dtype).max) + 1
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def png(samples: Array, *, extra: Sequence[tuple[bytes, bytes]] = (), header: Any = None) -> bytes:
    """A PNG of (H, W, 1 to 4) uint8 or uint16, byte by byte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, channels = samples.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = samples.dtype.itemsize * 8
    header = header or (width, height, depth, color, 0, 0, 0)
    rows = samples.astype(samples.dtype.newbyteorder(">"))
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", *header)),
            *(chunk(*pair) for pair in extra),
            chunk(b"IDAT", zlib.compress(data)),
            chunk(b"IEND", b""),
        ]
    )


def exif(orientation: int, **more: str) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = more.get("make", "Kodak")
    return tags.tobytes()


# sRGB, P3 and Lab in closed form

SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
D65, D50 = (0.3127, 0.3290), (0.34567, 0.35850)


def white_xyz(xy: tuple[float, float]) -> Array:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def to_xyz(primaries: Sequence[tuple[float, float]]) -> Array:
    columns = np.array([white_xyz(xy) for xy in primaries]).T
    return columns * np.linalg.solve(columns, white_xyz(D65))


BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
TO_D50 = (
    np.linalg.inv(BRADFORD)
    @ np.diag((BRADFORD @ white_xyz(D50)) / (BRADFORD @ white_xyz(D65)))
    @ BRADFORD
)


def decode(value: Array) -> Array:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encode(linear: Array) -> Array:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def p3_to_srgb(p3: Array) -> Array:
    return encode(decode(p3) @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(P3)).T)


def srgb_to_p3(srgb: Array) -> Array:
    return encode(decode(srgb) @ (np.linalg.inv(to_xyz(P3)) @ to_xyz(SRGB)).T)


def lab_to_srgb(lab: Sequence[float]) -> Array:
    f = (lab[0] + 16) / 116 + np.array([lab[1] / 500, 0, -lab[2] / 200])
    relative = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return encode(np.linalg.inv(TO_D50 @ to_xyz(SRGB)) @ (relative * white_xyz(D50)))


# ICC profiles from scratch


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*white_xyz(D50)), **tags}
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4x", offset + len(body)) + b"\x04\x20\0\0" + kind + space + pcs
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + fixed(*white_xyz(D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(primaries: Sequence[tuple[float, float]]) -> bytes:
    curve = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    columns = (TO_D50 @ to_xyz(primaries)).T
    tags = {name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in zip(NAMES, columns, strict=True)}
    return icc(b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


NAMES = (b"rXYZ", b"gXYZ", b"bXYZ")
P3_PROFILE = matrix_profile(P3)
OWN_SRGB_PROFILE = matrix_profile(SRGB)
PILLOW_SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = 461 / 256  # about 1.8, as old Macs had it
_gamma_curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 461)
GREY_PROFILE = icc(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma_curve})


def table_profile(kind: bytes, space: bytes, corners: Array) -> bytes:
    """A profile that leads from a device to Lab only, by the Lab of the 2^n corners."""
    inputs = int(np.log2(len(corners)))
    ramp = bytes(range(256))
    levels = np.rint(corners * [2.55, 1, 1] + [0, 128, 128]).astype(np.uint8).tobytes()
    head = b"mft1\0\0\0\0" + bytes([inputs, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return icc(kind, space, b"Lab ", {b"A2B0": head + ramp * inputs + levels + ramp * 3})


# Inks that look nothing like cyan and magenta, so that only the profile can explain them.
CYAN_LAB, MAGENTA_LAB = (55.0, 40.0, 30.0), (60.0, -35.0, 20.0)
_cmyk = np.zeros((16, 3))  # the last channel, black, runs fastest
_cmyk[0], _cmyk[0b1000], _cmyk[0b0100], _cmyk[0b0010] = (
    (100, 0, 0),
    CYAN_LAB,
    MAGENTA_LAB,
    (80, 0, 0),
)
CMYK_PROFILE = table_profile(b"prtr", b"CMYK", _cmyk)
_rgb = np.array(
    [[12.5 * (r + 2 * g + 5 * b), 0, 0] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
)
SCANNER_PROFILE = table_profile(b"scnr", b"RGB ", _rgb)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def as_rgb8(pixels: torch.Tensor) -> Array:
    return np.floor(pixels.numpy().astype(np.float64).transpose(1, 2, 0) * 255 + 0.5).astype(int)


def far(a: Array, b: Array) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


#: What each EXIF orientation asks to be done to the samples.
UPRIGHT: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}
