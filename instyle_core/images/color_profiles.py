"""Color profiles (ICC): from the colors of a file to sRGB, and back.

Conversions are LittleCMS's, through Pillow, which has 8 bits a sample. So the pixels of a 16-bit
picture with a profile other than sRGB are read, and its repainted pixels written, in steps of
1/255.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from instyle_core.images.profiles import rgb_of_gray
from instyle_core.images.samples import Samples, squeeze, to_depth

_SRGB = ImageCms.createProfile("sRGB")


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
    image = Image.fromarray(squeeze(to_depth(samples, np.uint8)))
    return np.asarray(ImageCms.applyTransform(image, transform))


def ink_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """CMYK or Lab to RGB; without a usable profile, CMYK is converted as simple complements."""
    try:
        lab = image.mode == "LAB"
        source = ImageCms.createProfile("LAB") if lab else io.BytesIO(icc or b"")
        converted = ImageCms.applyTransform(image, _transform(source, _SRGB, image.mode))
        assert converted is not None  # None only when asked to work in place
        return converted
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def manage_color(color: Samples, icc: bytes | None) -> tuple[Samples, Samples, bytes | None]:
    """Apply the color profile of a file, None for sRGB, to its samples (H, W, 1 or 3).

    Returns:
        The RGB samples to keep, the same in sRGB, and the profile of the samples to keep: for a
        gray one, an RGB profile that looks the same. A profile that converts only one way is not
        kept: then both are sRGB.
    """
    rgb = color if color.shape[2] == 3 else np.repeat(color, 3, axis=2)
    if icc is None:
        return rgb, rgb, None
    try:
        space = ImageCms.getOpenProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
        if space == "GRAY" and color.shape[2] == 1:
            as_rgb = rgb_of_gray(icc)
            if as_rgb is None:
                srgb = _apply(_transform(io.BytesIO(icc), _SRGB, "L"), color)
                return srgb, srgb, None
            icc = as_rgb
        elif space != "RGB":
            return rgb, rgb, None
        to_srgb = _transform(io.BytesIO(icc), _SRGB)
        if _is_identity(to_srgb):
            return rgb, rgb, icc
        srgb = _apply(to_srgb, rgb)
    except (ImageCms.PyCMSError, struct.error, UnicodeDecodeError):
        return rgb, rgb, None
    try:
        _transform(_SRGB, io.BytesIO(icc))
    except ImageCms.PyCMSError:  # a scanner's profile converts only one way
        return srgb, srgb, None
    return rgb, srgb, icc


def from_srgb(samples: Samples, icc: bytes) -> Samples:
    """(H, W, 3) from sRGB to the colors of a profile that `manage_color` returned."""
    if _is_identity(_transform(io.BytesIO(icc), _SRGB)):
        return samples
    return to_depth(_apply(_transform(_SRGB, io.BytesIO(icc)), samples), samples.dtype)


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a profile is sRGB, judged by its effect: its name and bytes have many variants."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    moved = _apply(transform, lattice).astype(int) - lattice
    return bool(np.abs(moved).max() <= 1)
