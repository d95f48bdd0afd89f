"""Reading and writing pictures.

Inside the program a picture is sRGB, float32, in [0, 1]. What the file held beyond that (its colour
profile, 16 bits a sample, transparency, EXIF) travels beside the pixels in a `Picture`, so that
pixels nobody touched are written back bit for bit.

Colour conversions go through LittleCMS by way of Pillow, which has 8 bits a sample: where a 16-bit
picture has a profile other than sRGB, its pixels are seen, and its repainted pixels written, in
steps of 1/255.
"""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch  # noqa: TID253
import torch.nn.functional as F  # noqa: TID253
from numpy.typing import DTypeLike, NDArray
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError
from torch import Tensor  # noqa: TID253

from instyle_core.errors import InputError, InstyleError
from instyle_core.files import write_atomically

#: Pictures with more pixels than this are refused, unless the caller raises the limit.
MAX_MEGAPIXELS = 100.0

Samples = NDArray[Any]  # uint8 or uint16

# Formats by name: left to itself, Pillow would also start Ghostscript for a PostScript file.
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
_READABLE_HINT = "use a PNG, JPEG, WebP, TIFF, BMP or GIF file"

_WRITABLE = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_ENCODING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
_LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}  # what libjpeg and libwebp accept
_LONGEST_JPEG_EXIF = 65533

_SRGB = ImageCms.createProfile("sRGB")
_ORIENTATION = 0x0112
_bomb_check_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the pipeline sees it, with what is needed to write one like it."""

    #: (3, H, W) float32 RGB in [0, 1], sRGB, upright.
    pixels: Tensor
    #: (1, H, W) float32 in [0, 1], 1 where opaque; None if the file has no transparency.
    alpha: Tensor | None
    path: Path
    #: (H, W, 3) uint8 or uint16 RGB, in the colours of `icc`.
    samples: Samples
    #: The colour profile of `samples`; None means sRGB.
    icc: bytes | None = None
    #: The file's EXIF without the orientation, which has been applied.
    exif: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.samples.shape[0], self.samples.shape[1]


def read_picture(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a photo or a painting, upright and in sRGB.

    A colour profile that is damaged, or meant for another kind of picture, is ignored. Grey
    becomes RGB; CMYK and Lab become 8-bit sRGB. The EXIF of a TIFF is not kept.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP, GIF or PPM file with one frame.
        max_megapixels: larger pictures are refused before they are decoded, in 10^6 pixels.

    Raises:
        InputError: the file is missing, unreadable, damaged, too large, animated or no picture.
    """
    raw = _decode(path, max_megapixels)
    samples, srgb, icc = _manage_colour(raw.colour, raw.icc)
    alpha = None if raw.alpha is None else _to_tensor(raw.alpha)
    return Picture(_to_tensor(srgb), alpha, path, samples, icc, raw.exif)


def write_picture(path: Path, pixels: Tensor, *, like: Picture | None = None) -> None:
    """Write a picture, whole or not at all, in the format that the suffix of `path` names.

    With `like`, the transparency, colour profile and EXIF of that picture are kept, and wherever
    `pixels` equals `like.pixels` its own samples are written, unconverted. PNG keeps 16 bits a
    sample if `like` has them. JPEG and WebP are lossy (quality 95).

    Args:
        pixels: (3, H, W) RGB, sRGB, clamped to [0, 1].
        like: the picture that `pixels` was made from, of the same size.

    Raises:
        InputError: see `check_output`.
        InstyleError: the file cannot be written.
        ValueError: `pixels` and `like` differ in size.
    """
    pixels = pixels.detach().cpu()
    size = (pixels.shape[1], pixels.shape[2])
    if like is not None and like.size != size:
        raise ValueError(f"a picture of size {size} cannot be written like one of size {like.size}")
    form = _check_output(path, size, None if like is None else like.alpha)
    deep = form == "PNG" and like is not None and like.samples.dtype == np.uint16
    dtype = np.uint16 if deep else np.uint8

    samples = _quantise(pixels, dtype)
    if like is not None:
        if like.icc is not None:
            samples = _from_srgb(samples, like.icc)
        untouched = (pixels == like.pixels).all(dim=0).numpy()
        samples = np.where(untouched[..., None], _to_depth(like.samples, dtype), samples)
        if like.alpha is not None and form != "JPEG":
            samples = np.concatenate([samples, _quantise(like.alpha, dtype)], axis=2)
    icc, exif = (None, None) if like is None else (like.icc, like.exif)
    write_atomically(path, (_encode_deep_png if deep else _encode)(samples, form, icc, exif))


def check_output(path: Path, like: Picture | None = None) -> None:
    """Find out, before any costly work, whether `write_picture` could write to `path`.

    Raises:
        InputError: the suffix is unknown, the folder is missing or may not be written to, or the
            format cannot hold a picture as large or as transparent as `like`.
    """
    if like is None:
        _check_output(path, (1, 1), None)
    else:
        _check_output(path, like.size, like.alpha)


def read_mask(
    path: Path, size: tuple[int, int], *, max_megapixels: float = MAX_MEGAPIXELS
) -> Tensor:
    """Read a mask of any size and fit it to a picture.

    The mask is the mean of the colour channels; or the transparency, where that varies and the
    colour does not. A mask with just two values is binary, whatever the values: the lower becomes
    0, the higher 1, and it stays binary when resized.

    Args:
        size: (height, width) of the result, in pixels.

    Returns:
        (1, height, width) float32 in [0, 1].

    Raises:
        InputError: as `read_picture`.
    """
    raw = _decode(path, max_megapixels)
    source = raw.colour
    if raw.alpha is not None and np.ptp(raw.alpha) > 0 and not np.ptp(source, axis=(0, 1)).any():
        source = raw.alpha
    mask = _to_tensor(source).mean(dim=0, keepdim=True)
    low, high = mask.min(), mask.max()
    binary = low < high and bool(((mask == low) | (mask == high)).all())
    if binary:
        mask = (mask == high).float()
    if tuple(mask.shape[1:]) != tuple(size):
        mask = F.interpolate(mask[None], size=size, mode="bilinear", antialias=True)[0].clamp(0, 1)
    return (mask >= 0.5).float() if binary else mask


def write_mask(path: Path, mask: Tensor) -> None:
    """Write a mask as an 8-bit grey PNG, whole or not at all.

    Args:
        mask: (1, H, W), clamped to [0, 1].

    Raises:
        InstyleError: the file cannot be written.
    """
    write_atomically(path, _encode(_quantise(mask.detach().cpu(), np.uint8), "PNG", None, None))


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample a picture with an antialiased bicubic filter.

    Args:
        image: (C, H, W) float32 in [0, 1].
        size: (height, width) of the result, in pixels.

    Returns:
        (C, height, width) in [0, 1]; `image` itself if it has that size.
    """
    if tuple(image.shape[1:]) == tuple(size):
        return image
    return F.interpolate(image[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


# Decoding


@dataclass(frozen=True, eq=False)
class _Raw:
    """What a file holds, upright, before any profile is applied."""

    colour: Samples  # (H, W, 1 or 3)
    alpha: Samples | None  # (H, W, 1)
    icc: bytes | None
    exif: bytes | None


def _decode(path: Path, max_megapixels: float) -> _Raw:
    with _input_errors(path):
        if not path.is_file():
            if not path.exists():
                raise FileNotFoundError
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise InputError(f"this is {kind}, not a picture", where=str(path), hint=_READABLE_HINT)
        with path.open("rb") as file:
            image = _load(path, file, max_megapixels)
            orientation, exif = _split_exif(image)
            samples, icc = _samples(path, file, image)
    samples = samples.reshape(*samples.shape[:2], -1)
    samples = np.ascontiguousarray(_upright(samples, orientation))
    if samples.shape[2] in (2, 4):
        return _Raw(samples[..., :-1], samples[..., -1:], icc, exif)
    return _Raw(samples, None, icc, exif)


@contextmanager
def _input_errors(path: Path) -> Iterator[None]:
    """Say in plain words what keeps a file from being read."""
    try:
        yield
    except (InstyleError, MemoryError):
        raise
    except Exception as error:  # decoders meet a damaged file with nearly every exception there is
        what, hint = _explain(path, error)
        raise InputError(what, where=str(path), hint=hint) from error


def _explain(path: Path, error: Exception) -> tuple[str, str]:
    match error:
        case FileNotFoundError():
            return "there is no such file", "check the name and the folder"
        case PermissionError():
            return "the file may not be read", "check its permissions"
        case UnidentifiedImageError() if path.stat().st_size == 0:
            return "the file is empty", _READABLE_HINT
        case UnidentifiedImageError():
            return "this is not a picture that can be read", _READABLE_HINT
        case OSError(strerror=str(reason)):
            return f"the file cannot be read: {reason}", "check the name and the disk"
    return f"the picture is damaged or incomplete: {error}", "get a fresh copy, or save it anew"


def _load(path: Path, file: BinaryIO, max_megapixels: float) -> Image.Image:
    """Decode the one frame of a file; the header alone is read of what is too large."""
    with _without_bomb_check():
        image = Image.open(file, formats=_READABLE)
        megapixels = image.width * image.height / 1e6
        if megapixels > max_megapixels:
            raise InputError(
                f"the picture has {megapixels:.4g} megapixels ({image.width} x {image.height}), "
                f"and the limit is {max_megapixels:g}",
                where=str(path),
                hint="make it smaller, or set max_megapixels in the spec",
            )
        frames = getattr(image, "n_frames", 1)
        # Many phones write MPO, a JPEG that is followed by a preview or a depth map.
        if frames > 1 and image.format != "MPO":
            raise InputError(
                f"the file has {frames} frames or pages, and a picture has one",
                where=str(path),
                hint="save one frame as PNG, and use that",
            )
        image.load()
    return image


@contextmanager
def _without_bomb_check() -> Iterator[None]:
    """Pillow's own limit is a global, and must not undercut ours."""
    with _bomb_check_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _samples(path: Path, file: BinaryIO, image: Image.Image) -> tuple[Samples, bytes | None]:
    """The samples, (H, W) or (H, W, 1 to 4), grey or RGB with or without alpha; and the profile."""
    icc: bytes | None = image.info.get("icc_profile")
    if image.format == "PNG" and _png_depth(file) == 16:
        return _decode_deep_png(file), icc
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(_ink_to_srgb(image, icc)), None
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
    """A 16-bit PNG through OpenCV, since Pillow cuts all but plain grey down to 8 bits."""
    import cv2

    file.seek(0)
    decoded = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("broken PNG data")
    samples: Samples = decoded
    return samples if samples.ndim == 2 else _swap_red_and_blue(samples)


def _swap_red_and_blue(samples: Samples) -> Samples:
    return samples[..., [2, 1, 0, *range(3, samples.shape[2])]]


def _split_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8, and the EXIF without it. Damaged EXIF is left out."""
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.pop(_ORIENTATION, 1)
        # In a TIFF these are the tags that lay out the file itself.
        keep = len(exif) > 0 and image.format != "TIFF"
        return orientation, exif.tobytes() if keep else None
    except Exception:  # as varied as the damage, and no reason to refuse a sound picture
        return orientation, None


def _upright(samples: Samples, orientation: int) -> Samples:
    """Apply an EXIF orientation to (H, W, C); 5 to 8 swap the sides."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


# Colour


def _transform(source: Any, target: Any, mode: str = "RGB") -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        source,
        target,
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _apply(transform: ImageCms.ImageCmsTransform, samples: Samples) -> Samples:
    """(H, W, 1 or 3) to (H, W, 3) uint8."""
    image = Image.fromarray(_squeeze(_to_depth(samples, np.uint8)))
    return np.asarray(ImageCms.applyTransform(image, transform))


def _ink_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """CMYK or Lab to RGB; without a usable profile, CMYK is taken as plain complements."""
    try:
        lab = image.mode == "LAB"
        source = ImageCms.createProfile("LAB") if lab else io.BytesIO(icc or b"")
        converted = ImageCms.applyTransform(image, _transform(source, _SRGB, image.mode))
        assert converted is not None  # None only when asked to work in place
        return converted
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def _manage_colour(colour: Samples, icc: bytes | None) -> tuple[Samples, Samples, bytes | None]:
    """From (H, W, 1 or 3) to RGB samples to keep, the same in sRGB, and the profile to keep."""
    rgb = colour if colour.shape[2] == 3 else np.repeat(colour, 3, axis=2)
    if icc is None:
        return rgb, rgb, None
    try:
        space = ImageCms.getOpenProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
        if space == "GRAY" and colour.shape[2] == 1:
            srgb = _apply(_transform(io.BytesIO(icc), _SRGB, "L"), colour)
            return srgb, srgb, None
        if space != "RGB":
            return rgb, rgb, None
        to_srgb = _transform(io.BytesIO(icc), _SRGB)
        if _is_identity(to_srgb):
            return rgb, rgb, icc
        srgb = _apply(to_srgb, rgb)
    except ImageCms.PyCMSError:
        return rgb, rgb, None
    try:
        _transform(_SRGB, io.BytesIO(icc))
    except ImageCms.PyCMSError:  # a scanner's profile leads only one way
        return srgb, srgb, None
    return rgb, srgb, icc


def _from_srgb(samples: Samples, icc: bytes) -> Samples:
    if _is_identity(_transform(io.BytesIO(icc), _SRGB)):
        return samples
    return _to_depth(_apply(_transform(_SRGB, io.BytesIO(icc)), samples), samples.dtype)


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a profile is sRGB, by what it does: its name and bytes come in dozens of variants."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    moved = _apply(transform, lattice).astype(int) - lattice
    return bool(np.abs(moved).max() <= 1)


# Samples and tensors


def _to_tensor(samples: Samples) -> Tensor:
    """(H, W, C) integers to (C, H, W) float32 in [0, 1]."""
    top = np.iinfo(samples.dtype).max
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(planes / np.float32(top))


def _quantise(image: Tensor, dtype: DTypeLike) -> Samples:
    """(C, H, W) in [0, 1] to (H, W, C) integers, to the nearest; undoes `_to_tensor`."""
    levels = (image.clamp(0, 1) * float(np.iinfo(dtype).max)).round()
    return levels.numpy().astype(dtype).transpose(1, 2, 0)


def _to_depth(samples: Samples, dtype: DTypeLike) -> Samples:
    """8 bits to 16 or back, to the nearest: 255 and 65535 are the same white."""
    if samples.dtype == dtype:
        return samples
    if samples.dtype == np.uint8:
        return samples.astype(np.uint16) * np.uint16(257)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _squeeze(samples: Samples) -> Samples:
    """(H, W, 1) to (H, W), as Pillow and OpenCV hold grey."""
    return samples[..., 0] if samples.shape[2] == 1 else samples


# Encoding


def _check_output(path: Path, size: tuple[int, int], alpha: Tensor | None) -> str:
    """The name of the format to write, once nothing speaks against it."""
    where = str(path)
    form = _WRITABLE.get(path.suffix.lower())
    if form is None:
        suffix = f"{path.suffix!r}" if path.suffix else "a name without a suffix"
        raise InputError(
            f"{suffix} names no picture format that can be written",
            where=where,
            hint=f"use one of {' '.join(_WRITABLE)}",
        )
    if path.is_dir():
        raise InputError("this is a folder, not a file", where=where, hint="name a file in it")
    folder = path.parent
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}", where=where, hint="create it, or choose another"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"the folder {folder} may not be written to",
            where=where,
            hint="change its permissions, or choose another",
        )
    longest = _LONGEST_SIDE.get(form)
    if longest is not None and max(size) > longest:
        raise InputError(
            f"{form} holds at most {longest} pixels a side, and the picture has {max(size)}",
            where=where,
            hint="name the output .png",
        )
    # An alpha channel that hides nothing is no loss.
    if form == "JPEG" and alpha is not None and bool((alpha < 1).any()):
        raise InputError(
            "JPEG cannot hold the transparency of the photo",
            where=where,
            hint="name the output .png or .webp",
        )
    return form


def _encode(samples: Samples, form: str, icc: bytes | None, exif: bytes | None) -> bytes:
    if form == "JPEG" and exif is not None and len(exif) > _LONGEST_JPEG_EXIF:
        exif = None  # PNG and WebP hold more of it than JPEG can
    extra = {key: data for key, data in (("icc_profile", icc), ("exif", exif)) if data}
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(_squeeze(samples)))
    image.save(buffer, form, **_ENCODING[form], **extra)
    return buffer.getvalue()


def _encode_deep_png(samples: Samples, form: str, icc: bytes | None, exif: bytes | None) -> bytes:
    """16-bit RGB or RGBA through OpenCV, which leaves the profile and the EXIF to us."""
    import cv2

    done, encoded = cv2.imencode(".png", np.ascontiguousarray(_swap_red_and_blue(samples)))
    if not done:
        raise InstyleError("the picture could not be encoded as PNG")
    chunks = io.BytesIO()
    if icc is not None:
        PngImagePlugin.putchunk(chunks, b"iCCP", b"ICC Profile\0\0", zlib.compress(icc))
    if exif is not None:
        PngImagePlugin.putchunk(chunks, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    png = encoded.tobytes()
    header = 33  # signature and IHDR, which comes first
    return png[:header] + chunks.getvalue() + png[header:]
