"""Whether a picture has the proportions of the photo that it belongs to."""

from __future__ import annotations

from pathlib import Path

from instyle_core.errors import InputError


def compare_shape(
    what: str, path: Path, size: tuple[int, int], wanted: tuple[int, int]
) -> list[str]:
    """Compare two sizes (height, width), one of which may be the other one scaled and rounded.

    Args:
        what: what the picture is, such as "mask".
        path: its file.
        size: of it.
        wanted: of the photo.

    Returns:
        A note if it has other proportions, so that it is stretched.

    Raises:
        InputError: it has the proportions of the photo turned by a quarter.
    """
    if fits(size, wanted):
        return []
    height, width = size
    sizes = f"{width} x {height} pixels, and the photo {wanted[1]} x {wanted[0]}"
    if fits((width, height), wanted):
        raise InputError(
            f"the {what} lies on its side: it has {sizes}",
            where=str(path),
            hint="turn it by a quarter; if it was made from the photo's file, that stores the "
            "photo on its side with an EXIF orientation, which is applied here",
        )
    return [f"the {what} is stretched, since it has other proportions than the photo: {sizes}"]


def fits(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether one size is the other one scaled, and rounded by less than a pixel."""
    (height, width), (tall, wide) = size, wanted
    return abs(height * wide - width * tall) < max(height + width, tall + wide)
