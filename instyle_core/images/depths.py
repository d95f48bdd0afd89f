"""Samples of other than 8 bits, which Pillow cuts down to 8 or leaves at their own white level."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.samples import Samples, rescale

# TIFF tags
_BITS, _PHOTOMETRIC, _PLANES, _EXTRA, _SAMPLE_FORMAT = 258, 262, 284, 338, 339
_UNSIGNED, _MIN_IS_WHITE, _ASSOCIATED, _UNASSOCIATED = 1, 0, 1, 2

Facts = Mapping[Any, Any]


def facts_of(image: Image.Image) -> Facts:
    """What only a picture that is not decoded yet tells of its samples; for `unusual_samples`."""
    if image.format == "TIFF":
        return dict(image.tag_v2)  # type: ignore[attr-defined]
    if image.format == "PPM":
        return {"tile": image.tile[0]}  # type: ignore[attr-defined]
    return {}


def unusual_samples(file: BinaryIO, image: Image.Image, facts: Facts) -> Samples | None:
    """The samples, (H, W) or (H, W, 3 or 4), uint8 or uint16; None where Pillow's own are right.

    Args:
        file: the file.
        image: decoded by Pillow.
        facts: of `facts_of`, before it was decoded.

    Raises:
        InputError: black and white are not defined, or the layout is not known.
    """
    read = {"PNG": _png, "TIFF": _tiff, "PPM": _ppm, "JPEG2000": _jpeg_2000}.get(image.format or "")
    samples = read(file, image, facts) if read else None
    if samples is None and image.mode in ("I", "F"):
        raise _undefined("32-bit")
    return samples


def swap_red_and_blue(samples: Samples) -> Samples:
    """RGB or RGBA to the order of OpenCV, or back."""
    return samples[..., [2, 1, 0, *range(3, samples.shape[2])]]


def _undefined(what: str) -> InputError:
    return InputError(
        f"the picture has {what} samples, whose black and white levels are not defined",
        hint="save it with 8 or 16 bits a sample",
    )


def _png(file: BinaryIO, image: Image.Image, _: Facts) -> Samples | None:
    file.seek(24)  # signature 8, length 4, "IHDR" 4, width 4, height 4
    if file.read(1) != b"\x10":
        return None
    samples = _by_opencv(file)
    key = image.info.get("transparency")
    if samples.ndim == 2 and isinstance(key, int):  # OpenCV knows the color key of RGB alone
        return np.stack([samples, np.where(samples == key, 0, 65535).astype(np.uint16)], axis=2)
    return samples


def _tiff(file: BinaryIO, image: Image.Image, tags: Facts) -> Samples | None:
    bits = _first(tags.get(_BITS, 1))
    if _first(tags.get(_SAMPLE_FORMAT, _UNSIGNED)) != _UNSIGNED and image.mode == "L":
        raise _undefined("signed")
    if image.mode.startswith("I;16"):
        gray = rescale(np.asarray(image), 2**bits - 1)
        return 65535 - gray if tags.get(_PHOTOMETRIC, _MIN_IS_WHITE) == _MIN_IS_WHITE else gray
    if bits != 16 or image.mode not in ("RGB", "RGBA"):
        return None
    if tags.get(_PLANES) == 2:
        raise InputError(
            "the colors of this 16-bit TIFF lie in planes of their own, which cannot be read",
            hint="save it with interleaved colors, or as PNG",
        )
    samples = _by_opencv(file)  # upright, as Pillow has it too
    extra = _first(tags.get(_EXTRA, _UNASSOCIATED))
    if samples.shape[2] == 4 and extra == _ASSOCIATED:
        alpha = samples[..., 3:].astype(np.uint32)
        color = (samples[..., :3] * np.uint32(65535) + alpha // 2) // np.maximum(alpha, 1)
        samples = np.concatenate([color.clip(0, 65535), alpha], axis=2).astype(np.uint16)
    return samples[..., : 4 if image.mode == "RGBA" else 3]


def _ppm(file: BinaryIO, image: Image.Image, facts: Facts) -> Samples | None:
    if image.mode == "I":
        return np.asarray(image).astype(np.uint16)  # Pillow has stretched it to 65535
    decoder, _, offset, rest = facts["tile"]
    if image.mode != "RGB" or not isinstance(rest, tuple) or rest[1] <= 255:
        return None
    file.seek(offset)
    count = image.width * image.height * 3
    if decoder == "ppm_plain":
        words = re.sub(rb"#[^\r\n]*", b"", file.read()).split()[:count]
        flat = np.array([int(word) for word in words], np.uint32)
    else:
        flat = np.frombuffer(file.read(2 * count), ">u2")
    return rescale(flat.reshape(image.height, image.width, 3), rest[1])


def _jpeg_2000(file: BinaryIO, image: Image.Image, _: Facts) -> Samples | None:
    file.seek(0)
    data = file.read()
    bits = (data[data.index(b"\xff\x4f\xff\x51") + 42] & 127) + 1
    whole = 16 if image.mode.startswith("I;16") else 8
    if bits >= whole or image.mode not in ("L", "RGB", "I;16"):
        return np.asarray(image).astype(np.uint16) if whole == 16 else None
    return rescale(np.asarray(image) >> (whole - bits), 2**bits - 1)


def _by_opencv(file: BinaryIO) -> Samples:
    import cv2

    file.seek(0)
    samples = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ValueError("broken data")
    return samples if samples.ndim == 2 else swap_red_and_blue(samples)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value
