"""Decoding picture files: the samples as they are, upright, before any color profile is applied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from instyle_core.images.color_profiles import ink_to_srgb
from instyle_core.images.cut_jpeg import without_end
from instyle_core.images.depths import Facts, facts_of, unusual_samples
from instyle_core.images.header import SIDEWAYS, opened, orientation_of
from instyle_core.images.metadata import Resolution, dpi_of, scene_exif
from instyle_core.images.profiles import profile_of
from instyle_core.images.samples import Samples


@dataclass(frozen=True, eq=False)
class Raw:
    """What a file holds, upright, before any profile is applied."""

    color: Samples  # (H, W, 1 or 3)
    alpha: Samples | None  # (H, W, 1)
    icc: bytes | None
    exif: bytes | None  # of the scene alone
    dpi: Resolution | None
    size: tuple[int, int]  # (height, width) before it was shrunk
    notes: tuple[str, ...] = ()


def decode(path: Path, max_megapixels: float, longest: int | None = None) -> Raw:
    """Decode a file with one frame; a long side above `longest` pixels is shrunk to that.

    Raises:
        InputError: see `instyle_core.images.picture.read_picture`.
    """
    with opened(path, max_megapixels) as (file, image):
        size = (image.height, image.width)
        orientation = orientation_of(file, image)
        facts = facts_of(image)
        image, notes = _load(file, image, longest)
        exif, dpi = scene_exif(file, image), dpi_of(file, image)
        samples, icc = _samples(file, image, facts)
    samples = samples.reshape(*samples.shape[:2], -1)
    if longest is not None and max(size) > longest:
        samples = _shrunk(samples, (size[0] * longest / max(size), size[1] * longest / max(size)))
    samples = np.ascontiguousarray(_upright(samples, orientation))
    if orientation in SIDEWAYS:
        size, dpi = size[::-1], dpi and dpi[::-1]
    alpha = samples[..., -1:] if samples.shape[2] in (2, 4) else None
    color = samples if alpha is None else samples[..., :-1]
    return Raw(color, alpha, icc, exif, dpi, size, notes)


def _shrunk(samples: Samples, size: tuple[float, float]) -> Samples:
    """(H, W, C) averaged over the area that each pixel stands for."""
    import cv2

    height, width = (max(1, round(side)) for side in size)
    # OpenCV drops a single channel.
    smaller = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.reshape(height, width, samples.shape[2])


def _load(
    file: BinaryIO, image: Image.Image, longest: int | None
) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode a picture that is open. A JPEG may lack a little at its end.

    Returns:
        The picture, and what to tell of it.
    """
    load = partial(_load_at, longest=longest)
    try:
        load(image)
    except OSError:
        if image.format not in ("JPEG", "MPO"):
            raise
        file.seek(0)
        image, lost = without_end(file.read(), load)
        note = f"the end of the file is missing, and with it {lost:.2%} of the picture"
        return image, (note,) if lost else ()
    return image, ()


def _load_at(image: Image.Image, longest: int | None) -> None:
    if longest is not None and min(image.size) > 0:
        factor = longest / max(image.size)
        # A JPEG can be decoded at an eighth of its size, in a fraction of the time.
        image.draft(None, (math.ceil(image.width * factor), math.ceil(image.height * factor)))
    image.load()


def _samples(file: BinaryIO, image: Image.Image, facts: Facts) -> tuple[Samples, bytes | None]:
    """The samples, (H, W) or (H, W, 2 to 4): gray or RGB, perhaps with alpha; and the profile."""
    icc = profile_of(file, image)
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(ink_to_srgb(image, icc)), None
    unusual = unusual_samples(file, image, facts)
    if unusual is not None:
        return unusual, icc
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    alpha = "A" if image.has_transparency_data else ""
    return np.asarray(image.convert(mode + alpha)), icc


def _upright(samples: Samples, orientation: int) -> Samples:
    """Apply an EXIF orientation to (H, W, C); 5 to 8 swap the sides."""
    if orientation in SIDEWAYS:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples
