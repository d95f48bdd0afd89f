"""Encoding samples as files, with profile, EXIF and resolution, in every format that is written."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from instyle_core.errors import InstyleError
from instyle_core.images.depths import swap_red_and_blue
from instyle_core.images.metadata import (
    CAMERA,
    JPEG_2000_EXIF,
    PLACE,
    Resolution,
    with_resolution,
)
from instyle_core.images.samples import Samples, squeeze

#: Formats that hold 16 bits a sample.
DEEP = ("PNG", "TIFF")

_ENCODING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4, "exact": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG2000": {"mct": 1},
}
_LONGEST_JPEG_EXIF = 65533  # bytes
_LONGEST_JPEG_PROFILE = 255 * 65519  # bytes; it is written in parts


@dataclass(frozen=True)
class Tags:
    """What a file says beside its samples.

    Attributes:
        icc: the color profile of the samples; None for sRGB.
        exif: as `instyle_core.images.metadata.scene_exif` makes it.
        dpi: the resolution.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: Resolution | None = None


NO_TAGS = Tags()


def encode(samples: Samples, form: str, tags: Tags = NO_TAGS) -> tuple[bytes, tuple[str, ...]]:
    """Encode (H, W, 1, 3 or 4) uint8, or uint16 for formats in `DEEP`.

    Returns:
        The file, and what to tell: if it could not be encoded with metadata, it has none.

    Raises:
        InstyleError: it cannot be encoded.
    """
    try:
        return _encode(samples, form, tags), ()
    except Exception as error:  # encoders raise nearly anything
        if tags.exif is None and tags.dpi is None:
            raise InstyleError(f"the picture could not be encoded as {form}: {error}") from error
        encoded, notes = encode(samples, form, Tags(tags.icc))
        return encoded, (f"the photo's metadata is left out, since {form} refuses it", *notes)


def _encode(samples: Samples, form: str, tags: Tags) -> bytes:
    if form in ("WEBP", "AVIF", "JPEG2000") and tags.dpi is not None:
        tags = Tags(tags.icc, with_resolution(tags.exif, tags.dpi))
    if form == "TIFF":
        return _encode_tiff(samples, tags)
    if samples.dtype == np.uint16:
        return _encode_deep_png(samples, tags)
    if form == "JPEG":  # which Pillow would write damaged
        if len(tags.exif or b"") > _LONGEST_JPEG_EXIF:
            raise ValueError("the EXIF is too long")
        if len(tags.icc or b"") > _LONGEST_JPEG_PROFILE:
            raise ValueError("the color profile is too long")
    values = {"icc_profile": tags.icc, "exif": tags.exif, "dpi": tags.dpi}
    extra = {key: value for key, value in values.items() if value is not None}
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(squeeze(samples)))
    if form == "JPEG2000":
        image.save(buffer, form, **_ENCODING[form])
        return _with_boxes(buffer.getvalue(), tags)
    image.save(buffer, form, **_ENCODING[form], **extra)
    return buffer.getvalue()


def _encode_deep_png(samples: Samples, tags: Tags) -> bytes:
    """16-bit RGB or RGBA by OpenCV, with what it cannot write."""
    import cv2

    done, encoded = cv2.imencode(".png", np.ascontiguousarray(swap_red_and_blue(samples)))
    if not done:
        raise ValueError("OpenCV gives no reason")
    chunks = io.BytesIO()
    if tags.icc is not None:
        PngImagePlugin.putchunk(chunks, b"iCCP", b"ICC Profile\0\0", zlib.compress(tags.icc))
    if tags.dpi is not None:
        per_meter = (round(side / 0.0254) for side in tags.dpi)
        PngImagePlugin.putchunk(chunks, b"pHYs", struct.pack(">IIB", *per_meter, 1))
    if tags.exif is not None:
        PngImagePlugin.putchunk(chunks, b"eXIf", tags.exif.removeprefix(b"Exif\0\0"))
    png = encoded.tobytes()
    header = 33  # bytes: the signature, and IHDR, which has to be the first chunk
    return png[:header] + chunks.getvalue() + png[header:]


def _encode_tiff(samples: Samples, tags: Tags) -> bytes:
    """One deflated strip. Pillow's own compressed files hold neither EXIF nor 16 bits of RGB."""
    height, width, channels = samples.shape
    strip = zlib.compress(samples.astype(samples.dtype.newbyteorder("<")).tobytes())
    ifd = ImageFileDirectory_v2()  # little-endian
    if tags.exif is not None:
        exif = Image.Exif()
        exif.load(tags.exif)
        for tag in exif:
            ifd[tag] = exif.get_ifd(tag) if tag in (CAMERA, PLACE) else exif[tag]
    if tags.dpi is not None:
        ifd[282], ifd[283], ifd[296] = *tags.dpi, 2  # per inch
    ifd[256], ifd[257] = width, height
    ifd[258] = (8 * samples.dtype.itemsize,) * channels
    ifd[259] = 8  # deflated
    ifd[262] = 1 if channels == 1 else 2  # black is 0; RGB
    ifd[273], ifd[278], ifd[279] = 0, height, len(strip)  # the place of the strip; rows; bytes
    ifd[277] = channels
    if channels == 4:
        ifd[338] = 2  # alpha, by which the colors are not multiplied
    if tags.icc is not None:
        ifd.tagtype[34675] = 7  # bytes
        ifd[34675] = tags.icc
    file = io.BytesIO()
    ifd.save(file)  # moves the place of the strip to behind the tags
    file.write(strip)
    return file.getvalue()


def _with_boxes(jp2: bytes, tags: Tags) -> bytes:
    """A JPEG 2000 file with the profile and EXIF, which Pillow cannot write."""
    if tags.icc is not None:
        start = jp2.index(b"colr") - 4
        (length,) = struct.unpack_from(">I", jp2, start)
        colors = _box(b"colr", b"\2\0\0" + tags.icc)
        head = jp2.index(b"jp2h") - 4  # the box that this one is in
        (whole,) = struct.unpack_from(">I", jp2, head)
        grown = struct.pack(">I", whole + len(colors) - length)
        jp2 = jp2[:head] + grown + jp2[head + 4 : start] + colors + jp2[start + length :]
    if tags.exif is not None:
        jp2 += _box(b"uuid", JPEG_2000_EXIF + tags.exif.removeprefix(b"Exif\0\0"))
    return jp2


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data
