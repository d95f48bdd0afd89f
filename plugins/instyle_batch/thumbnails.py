"""Photo and picture, small and side by side, for the contact sheet."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps

#: The largest width and height of each of the two, in pixels.
SIZE = (320, 240)


def make(photo: Path, picture: Path, to: Path) -> None:
    """Write both as one JPEG, beside each other; nothing if one of them cannot be read.

    What it cannot show is not worth a failure: the picture itself is whole.
    """
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        sides = [_small(path) for path in (photo, picture)]
        width = sum(side.width for side in sides)
        both = Image.new("RGB", (width, max(side.height for side in sides)), "white")
        both.paste(sides[0], (0, 0))
        both.paste(sides[1], (sides[0].width, 0))
        to.parent.mkdir(parents=True, exist_ok=True)
        # Always the same name, so that what a killed process left is written over: the job is this
        # process's alone. The name of `atomic_write` differs each time.
        unfinished = to.with_name(f".{to.name}")
        try:
            both.save(unfinished, "JPEG", quality=80)
            os.replace(unfinished, to)
        finally:
            unfinished.unlink(missing_ok=True)


def _small(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", SIZE)  # a large JPEG is decoded small
        turned = ImageOps.exif_transpose(image)
        turned.thumbnail(SIZE)
        return turned.convert("RGB")
