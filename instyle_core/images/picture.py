"""Reading and writing pictures.

Inside the program a picture is sRGB, float32, in [0, 1]. What the file held beyond that (its color
profile, 16 bits a sample, transparency, EXIF) travels beside the pixels in a `Picture`, so that
pixels that nobody changed are written back bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from instyle_core.errors import InputError, InstyleError
from instyle_core.files import check_size, picture_format, write_atomically
from instyle_core.images.color_profiles import from_srgb, manage_color
from instyle_core.images.decoding import decode
from instyle_core.images.encoding import DEEP, NO_TAGS, Tags, encode
from instyle_core.images.metadata import Resolution
from instyle_core.images.samples import Samples, quantize, to_depth, to_tensor

#: Pictures with more pixels than this are refused, unless the caller raises the limit.
MAX_MEGAPIXELS = 100.0

#: What becomes of the metadata of a photo.
Metadata = Literal["keep", "none"]

_CORNER = 8  # pixels a side that are encoded to see whether that works


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the pipeline sees it, with what is needed to write one like it."""

    #: (3, H, W) float32 RGB in [0, 1], sRGB, upright.
    pixels: Tensor
    #: (1, H, W) float32 in [0, 1], 1 where opaque; None if the file has no transparency.
    alpha: Tensor | None
    path: Path
    #: (H, W, 3) uint8 or uint16 RGB, in the colors of `icc`.
    samples: Samples
    #: The color profile of `samples`; None means sRGB.
    icc: bytes | None = None
    #: The file's EXIF, as far as it tells of the scene.
    exif: bytes | None = None
    #: If the file tells it.
    dpi: Resolution | None = None
    #: (height, width) of the picture in the file, if it was shrunk.
    full_size: tuple[int, int] | None = None
    #: What the user may want to know of the file.
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.samples.shape[0], self.samples.shape[1]


def read_picture(
    path: Path, *, max_megapixels: float = MAX_MEGAPIXELS, longest: int | None = None
) -> Picture:
    """Read a photo or a painting, upright and in sRGB.

    A color profile that is damaged, or meant for another kind of picture, is ignored. Gray
    becomes RGB; CMYK and Lab become 8-bit sRGB.

    Args:
        path: a PNG, JPEG, WebP, TIFF, AVIF, JPEG 2000, BMP, GIF or PPM file with one frame; or
            HEIC, if pillow-heif is installed.
        max_megapixels: larger pictures, in 10^6 pixels, are refused before they are decoded.
        longest: in pixels; a picture with a longer side is shrunk to it. None for never.

    Raises:
        InputError: the file is missing, unreadable, damaged, too large, animated or no picture.
    """
    raw = decode(path, max_megapixels, longest)
    samples, srgb, icc = manage_color(raw.color, raw.icc)
    alpha = None if raw.alpha is None else to_tensor(raw.alpha)
    return Picture(
        pixels=to_tensor(srgb),
        alpha=alpha,
        path=path,
        samples=samples,
        icc=icc,
        exif=raw.exif,
        dpi=raw.dpi,
        full_size=raw.size if raw.size != samples.shape[:2] else None,
        notes=raw.notes,
    )


def write_picture(
    path: Path, pixels: Tensor, *, like: Picture | None = None, metadata: Metadata = "keep"
) -> tuple[str, ...]:
    """Write a picture, whole or not at all, in the format that the suffix of `path` names.

    With `like`, the transparency, color profile, resolution and EXIF of that picture are kept, and
    wherever `pixels` equals `like.pixels` its own samples are written, unconverted. PNG and TIFF
    keep 16 bits a sample if `like` has them. JPEG, WebP and AVIF are lossy (quality 95).

    Args:
        path: the file; it may exist.
        pixels: (3, H, W) RGB, sRGB, clamped to [0, 1].
        like: the picture that `pixels` was made from, of the same size.
        metadata: ``none`` leaves out the resolution and EXIF of `like`.

    Returns:
        Notes for the user: what could not be written.

    Raises:
        InputError: see `check_output`.
        InstyleError: the file cannot be written.
        ValueError: `pixels` and `like` differ in size.
    """
    encoded, notes = encode_picture(path, pixels, like=like, metadata=metadata)
    write_atomically(path, encoded)
    return notes


def encode_picture(
    path: Path, pixels: Tensor, *, like: Picture | None = None, metadata: Metadata = "keep"
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the file that `write_picture` writes, and its notes; errors are as there."""
    pixels = pixels.detach().cpu()
    size = (pixels.shape[1], pixels.shape[2])
    if like is not None and like.size != size:
        raise ValueError(f"a picture of size {size} cannot be written like one of size {like.size}")
    form = _format(path, size, like)
    return encode(_samples(pixels, form, like), form, _tags(like, metadata))


def check_output(
    path: Path, like: Picture | None = None, *, metadata: Metadata = "keep"
) -> tuple[str, ...]:
    """Find out, before any costly work, whether `write_picture` could write to `path`.

    Args:
        path: the file to write.
        like: the picture that the result is to be like; a few of its pixels are encoded.
        metadata: as for `write_picture`.

    Returns:
        Notes for the user: what of `like` will be lost.

    Raises:
        InputError: the suffix is unknown, the folder is missing or may not be written to, or the
            format cannot hold a picture as large or as transparent as `like`, or with its profile.
    """
    form = _format(path, (1, 1) if like is None else like.size, like)
    if like is None:
        return ()
    corner = replace(
        like,
        pixels=like.pixels[:, :_CORNER, :_CORNER],
        alpha=None if like.alpha is None else like.alpha[:, :_CORNER, :_CORNER],
        samples=like.samples[:_CORNER, :_CORNER],
    )
    try:
        _, notes = encode(_samples(corner.pixels, form, corner), form, _tags(like, metadata))
    except InstyleError as error:
        raise InputError(
            error.what, where=str(path), hint="name the output .png, or another format"
        ) from error
    if like.samples.dtype == np.uint16 and form not in DEEP:
        kept = " or ".join(f".{deep.lower()}" for deep in DEEP)
        notes += (f"{form} is written with 8 bits a sample; {kept} would keep the photo's 16",)
    return notes


def _format(path: Path, size: tuple[int, int], like: Picture | None) -> str:
    """The name of the format to write, if it can hold such a picture."""
    form = picture_format(path)
    check_size(path, size)
    # An alpha channel in which all is opaque can be left out.
    alpha = None if like is None else like.alpha
    if form == "JPEG" and alpha is not None and bool((alpha < 1).any()):
        raise InputError(
            "JPEG cannot hold the transparency of the photo",
            where=str(path),
            hint="name the output .png or .webp",
        )
    return form


def _samples(pixels: Tensor, form: str, like: Picture | None) -> Samples:
    """What to write of `pixels`, (H, W, 3 or 4)."""
    deep = form in DEEP and like is not None and like.samples.dtype == np.uint16
    samples = quantize(pixels, np.uint16 if deep else np.uint8)
    if like is None:
        return samples
    if like.icc is not None:
        samples = from_srgb(samples, like.icc)
    untouched = (pixels == like.pixels).all(dim=0).numpy()
    samples = np.where(untouched[..., None], to_depth(like.samples, samples.dtype), samples)
    if like.alpha is not None and form != "JPEG":
        samples = np.concatenate([samples, quantize(like.alpha, samples.dtype)], axis=2)
    return samples


def _tags(like: Picture | None, metadata: Metadata) -> Tags:
    if like is None:
        return NO_TAGS
    return Tags(like.icc, like.exif, like.dpi) if metadata == "keep" else Tags(like.icc)
