"""Reading and writing pictures and masks.

Inside the program a picture is sRGB, float32, in [0, 1]. What the file held beyond that (its color
profile, 16 bits a sample, transparency, EXIF) travels beside the pixels in a `Picture`, so that
pixels that nobody changed are written back bit for bit.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin
from torch import Tensor

from instyle_core.errors import InputError, InstyleError
from instyle_core.files import check_size, picture_format, write_atomically
from instyle_core.images.color_profiles import from_srgb, manage_color
from instyle_core.images.decoding import decode, swap_red_and_blue
from instyle_core.images.resize import resample
from instyle_core.images.samples import Samples, quantize, squeeze, to_depth, to_tensor

#: Pictures with more pixels than this are refused, unless the caller raises the limit.
MAX_MEGAPIXELS = 100.0

_ENCODING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
_LONGEST_JPEG_EXIF = 65533  # bytes


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
    #: The file's EXIF without the orientation, which has been applied.
    exif: bytes | None = None
    #: (height, width) of the picture in the file, if it was shrunk.
    full_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.samples.shape[0], self.samples.shape[1]


def read_picture(
    path: Path, *, max_megapixels: float = MAX_MEGAPIXELS, longest: int | None = None
) -> Picture:
    """Read a photo or a painting, upright and in sRGB.

    A color profile that is damaged, or meant for another kind of picture, is ignored. Gray
    becomes RGB; CMYK and Lab become 8-bit sRGB. The EXIF of a TIFF is not kept.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP, GIF or PPM file with one frame.
        max_megapixels: larger pictures, in 10^6 pixels, are refused before they are decoded.
        longest: in pixels; a picture with a longer side is shrunk to it. None for never.

    Raises:
        InputError: the file is missing, unreadable, damaged, too large, animated or no picture.
    """
    raw = decode(path, max_megapixels, longest)
    samples, srgb, icc = manage_color(raw.color, raw.icc)
    alpha = None if raw.alpha is None else to_tensor(raw.alpha)
    shrunk = raw.size if raw.size != samples.shape[:2] else None
    return Picture(to_tensor(srgb), alpha, path, samples, icc, raw.exif, shrunk)


def write_picture(path: Path, pixels: Tensor, *, like: Picture | None = None) -> None:
    """Write a picture, whole or not at all, in the format that the suffix of `path` names.

    With `like`, the transparency, color profile and EXIF of that picture are kept, and wherever
    `pixels` equals `like.pixels` its own samples are written, unconverted. PNG keeps 16 bits a
    sample if `like` has them. JPEG and WebP are lossy (quality 95).

    Args:
        path: the file; it may exist.
        pixels: (3, H, W) RGB, sRGB, clamped to [0, 1].
        like: the picture that `pixels` was made from, of the same size.

    Raises:
        InputError: see `check_output`.
        InstyleError: the file cannot be written.
        ValueError: `pixels` and `like` differ in size.
    """
    write_atomically(path, encode_picture(path, pixels, like=like))


def encode_picture(path: Path, pixels: Tensor, *, like: Picture | None = None) -> bytes:
    """The bytes of the file that `write_picture` writes; errors are the same but for the file's."""
    pixels = pixels.detach().cpu()
    size = (pixels.shape[1], pixels.shape[2])
    if like is not None and like.size != size:
        raise ValueError(f"a picture of size {size} cannot be written like one of size {like.size}")
    form = _check_output(path, size, like)
    deep = form == "PNG" and like is not None and like.samples.dtype == np.uint16
    samples = quantize(pixels, np.uint16 if deep else np.uint8)
    if like is None:
        return _encode(samples, form)
    if like.icc is not None:
        samples = from_srgb(samples, like.icc)
    untouched = (pixels == like.pixels).all(dim=0).numpy()
    samples = np.where(untouched[..., None], to_depth(like.samples, samples.dtype), samples)
    if like.alpha is not None and form != "JPEG":
        samples = np.concatenate([samples, quantize(like.alpha, samples.dtype)], axis=2)
    return _encode(samples, form, like.icc, like.exif)


def check_output(path: Path, like: Picture | None = None) -> None:
    """Find out, before any costly work, whether `write_picture` could write to `path`.

    Raises:
        InputError: the suffix is unknown, the folder is missing or may not be written to, or the
            format cannot hold a picture as large or as transparent as `like`.
    """
    _check_output(path, (1, 1) if like is None else like.size, like)


def read_mask(
    path: Path, size: tuple[int, int], *, max_megapixels: float = MAX_MEGAPIXELS
) -> Tensor:
    """Read a mask of any size and fit it to a picture.

    The mask is the mean of the color channels; or the transparency, where that varies and the
    color does not. A mask with just two values is binary, whatever the values: the lower becomes
    0, the higher 1, and it stays binary when resized.

    Args:
        path: a file as for `read_picture`.
        size: (height, width) of the result, in pixels.
        max_megapixels: as for `read_picture`.

    Returns:
        (1, height, width) float32 in [0, 1].

    Raises:
        InputError: as `read_picture`.
    """
    raw = decode(path, max_megapixels)
    source = raw.color
    if raw.alpha is not None and np.ptp(raw.alpha) > 0 and not np.ptp(source, axis=(0, 1)).any():
        source = raw.alpha
    mask = to_tensor(source).mean(dim=0, keepdim=True)
    low, high = mask.min(), mask.max()
    binary = low < high and bool(((mask == low) | (mask == high)).all())
    if binary:
        mask = (mask == high).float()
    if tuple(mask.shape[1:]) != tuple(size):
        mask = resample(mask, size, "bilinear").clamp(0, 1)
    return (mask >= 0.5).float() if binary else mask


def write_mask(path: Path, mask: Tensor) -> None:
    """Write a mask as an 8-bit gray PNG, whole or not at all.

    Args:
        path: the file; it may exist.
        mask: (1, H, W), clamped to [0, 1].

    Raises:
        InstyleError: the file cannot be written.
    """
    write_atomically(path, _encode(quantize(mask.detach().cpu(), np.uint8), "PNG"))


def _check_output(path: Path, size: tuple[int, int], like: Picture | None) -> str:
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


def _encode(
    samples: Samples, form: str, icc: bytes | None = None, exif: bytes | None = None
) -> bytes:
    if samples.dtype == np.uint16:
        return _encode_deep_png(samples, icc, exif)
    if form == "JPEG" and exif is not None and len(exif) > _LONGEST_JPEG_EXIF:
        exif = None  # it came from a PNG or WebP file, which can hold more of it
    extra = {key: data for key, data in (("icc_profile", icc), ("exif", exif)) if data}
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(squeeze(samples)))
    image.save(buffer, form, **_ENCODING[form], **extra)
    return buffer.getvalue()


def _encode_deep_png(samples: Samples, icc: bytes | None, exif: bytes | None) -> bytes:
    """16-bit RGB or RGBA by OpenCV, with the profile and the EXIF, which it cannot write."""
    import cv2

    done, encoded = cv2.imencode(".png", np.ascontiguousarray(swap_red_and_blue(samples)))
    if not done:
        raise InstyleError("the picture could not be encoded as PNG")
    chunks = io.BytesIO()
    if icc is not None:
        PngImagePlugin.putchunk(chunks, b"iCCP", b"ICC Profile\0\0", zlib.compress(icc))
    if exif is not None:
        PngImagePlugin.putchunk(chunks, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    png = encoded.tobytes()
    header = 33  # bytes: the signature, and IHDR, which has to be the first chunk
    return png[:header] + chunks.getvalue() + png[header:]
