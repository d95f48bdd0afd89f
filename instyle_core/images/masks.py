"""Reading and writing masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from instyle_core.files import write_atomically
from instyle_core.images.decoding import decode
from instyle_core.images.encoding import encode
from instyle_core.images.picture import MAX_MEGAPIXELS
from instyle_core.images.resize import resample
from instyle_core.images.samples import quantize, to_tensor
from instyle_core.images.shape import compare_shape


def read_mask(
    path: Path,
    size: tuple[int, int],
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    on_note: Callable[[str], None] = lambda note: None,
) -> Tensor:
    """Read a mask of any size and fit it to a picture.

    The mask is the transparency where that varies, else the mean of the color channels. A mask with
    just two values is binary, whatever the values: the lower becomes 0, the higher 1, and it stays
    binary when resized.

    Args:
        path: a file as for `read_picture`.
        size: (height, width) of the result, in pixels.
        max_megapixels: as for `read_picture`.
        on_note: is told what the user may want to know: which of color and transparency was taken
            if both vary, that the mask is stretched to other proportions, and notes on the file.

    Returns:
        (1, height, width) float32 in [0, 1].

    Raises:
        InputError: as `read_picture`; or the mask lies on its side.
    """
    raw = decode(path, max_megapixels)
    notes = [*raw.notes]
    source = raw.color
    if raw.alpha is not None and np.ptp(raw.alpha) > 0:
        source = raw.alpha
        if np.ptp(raw.color, axis=(0, 1)).any():
            notes.append("the mask is the transparency of this picture, not its colors")
    notes += compare_shape("mask", path, source.shape[:2], size)
    for note in notes:
        on_note(f"{path}: {note}")
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
    encoded, _ = encode(quantize(mask.detach().cpu(), np.uint8), "PNG")
    write_atomically(path, encoded)
