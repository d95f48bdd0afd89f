"""Reading and writing masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from instyle_core.files import write_atomically
from instyle_core.images.decoding import decode
from instyle_core.images.encoding import encode
from instyle_core.images.picture import MAX_MEGAPIXELS
from instyle_core.images.resize import resample
from instyle_core.images.samples import Samples, quantize, to_tensor
from instyle_core.images.shape import compare_shape
from instyle_core.interfaces.pictures import Mask


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


def write_object_mask(path: Path, mask: Mask) -> None:
    """Write an object's mask as `write_mask` does, so that `read_mask` gives it back.

    The object's pixels, and only they, are at least one half; the probability is rounded.

    Args:
        path: the file; it may exist.
        mask: of any device.

    Raises:
        InstyleError: the file cannot be written.
    """
    inside = mask.decision[0].cpu().numpy() > 0
    levels = quantize(mask.probability.cpu(), np.uint8)[..., 0]
    levels = np.where(inside, np.maximum(levels, 128), np.minimum(levels, 127))
    counts = np.array(Image.fromarray(levels).histogram())
    present = np.flatnonzero(counts)
    if len(present) == 2 and [*present] != [0, 255]:
        # Two values would be read as 0 and 1, so one pixel gets a third, on its side of one half.
        common = int(counts.argmax())
        near = (common + step for step in (1, -1, 2, -2))
        third = next(
            level
            for level in near
            if 0 <= level <= 255 and level not in present and (level < 128) == (common < 128)
        )
        levels[np.unravel_index((levels == common).argmax(), levels.shape)] = third
    _write(path, levels[..., None])


def write_mask(path: Path, mask: Tensor) -> None:
    """Write a mask as an 8-bit gray PNG, whole or not at all.

    Args:
        path: the file; it may exist.
        mask: (1, H, W), clamped to [0, 1].

    Raises:
        InstyleError: the file cannot be written.
    """
    _write(path, quantize(mask.detach().cpu(), np.uint8))


def _write(path: Path, levels: Samples) -> None:
    encoded, _ = encode(levels, "PNG")
    write_atomically(path, encoded)
