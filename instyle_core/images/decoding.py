"""Decoding picture files: the samples as they are, upright, before any color profile is applied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.color_profiles import ink_to_srgb
from instyle_core.images.header import ORIENTATION, SIDEWAYS, opened
from instyle_core.images.samples import Samples


@dataclass(frozen=True, eq=False)
class Raw:
    """What a file holds, upright, before any profile is applied."""

    color: Samples  # (H, W, 1 or 3)
    alpha: Samples | None  # (H, W, 1)
    icc: bytes | None
    exif: bytes | None
    size: tuple[int, int]  # (height, width) before it was shrunk


def decode(path: Path, max_megapixels: float, longest: int | None = None) -> Raw:
    """Decode a file with one frame; a long side above `longest` pixels is shrunk to that.

    Raises:
        InputError: see `instyle_core.images.read_picture`.
    """
    with opened(path, max_megapixels) as (file, image):
        size = (image.height, image.width)
        _load(image, longest)
        orientation, exif = _split_exif(image)
        samples, icc = _samples(path, file, image)
    samples = samples.reshape(*samples.shape[:2], -1)
    if longest is not None and max(size) > longest:
        samples = _shrunk(samples, (size[0] * longest / max(size), size[1] * longest / max(size)))
    samples = np.ascontiguousarray(_upright(samples, orientation))
    size = (size[1], size[0]) if orientation in SIDEWAYS else size
    if samples.shape[2] in (2, 4):
        return Raw(samples[..., :-1], samples[..., -1:], icc, exif, size)
    return Raw(samples, None, icc, exif, size)


def _shrunk(samples: Samples, size: tuple[float, float]) -> Samples:
    """(H, W, C) averaged over the area that each pixel stands for."""
    import cv2

    height, width = (max(1, round(side)) for side in size)
    # OpenCV drops a single channel.
    smaller = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.reshape(height, width, samples.shape[2])


def _load(image: Image.Image, longest: int | None) -> None:
    """Decode the picture, where its format allows at the size that is needed."""
    if longest is not None and min(image.size) > 0:
        factor = longest / max(image.size)
        # A JPEG can be decoded at an eighth of its size, in a fraction of the time.
        image.draft(None, (math.ceil(image.width * factor), math.ceil(image.height * factor)))
    image.load()


def _samples(path: Path, file: BinaryIO, image: Image.Image) -> tuple[Samples, bytes | None]:
    """The samples, (H, W) or (H, W, 2 to 4): gray or RGB, perhaps with alpha; and the profile."""
    icc: bytes | None = image.info.get("icc_profile")
    if image.format == "PNG" and _png_depth(file) == 16:
        return _decode_deep_png(file), icc
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(ink_to_srgb(image, icc)), None
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), icc
    if image.mode in ("I", "F"):
        raise InputError(
            "the picture has 32-bit samples, whose black and white levels are not defined",
            where=str(path),
            hint="save it with 8 or 16 bits a sample",
        )
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    alpha = "A" if image.has_transparency_data else ""
    return np.asarray(image.convert(mode + alpha)), icc


def _png_depth(file: BinaryIO) -> int:
    file.seek(24)  # signature 8, length 4, "IHDR" 4, width 4, height 4
    return file.read(1)[0]


def _decode_deep_png(file: BinaryIO) -> Samples:
    """A 16-bit PNG through OpenCV, since Pillow cuts all but plain gray down to 8 bits."""
    import cv2

    file.seek(0)
    decoded = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("broken PNG data")
    samples: Samples = decoded
    return samples if samples.ndim == 2 else swap_red_and_blue(samples)


def swap_red_and_blue(samples: Samples) -> Samples:
    return samples[..., [2, 1, 0, *range(3, samples.shape[2])]]


def _split_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8, and the EXIF without it; None for damaged EXIF."""
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.pop(ORIENTATION, 1)
        # In a TIFF, these tags also describe how the file itself is laid out.
        keep = len(exif) > 0 and image.format != "TIFF"
        return orientation, exif.tobytes() if keep else None
    except Exception:  # of any type; the picture itself is sound
        return orientation, None


def _upright(samples: Samples, orientation: int) -> Samples:
    """Apply an EXIF orientation to (H, W, C); 5 to 8 swap the sides."""
    if orientation in SIDEWAYS:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples
