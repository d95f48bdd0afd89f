"""Lay a photo, a style picture and a result side by side, for the README.

instyle demo -o demo
python docs/pictures/triptych.py demo/cat.png demo/swirls.jpg demo/cat-swirls.png OUTPUT
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from PIL import Image, ImageOps

HEIGHT = 300
GAP = 10


def side_by_side(pictures: Sequence[Image.Image], height: int = HEIGHT) -> Image.Image:
    """The pictures in a row, all of one height, on white."""
    cells = [
        picture.resize((round(picture.width * height / picture.height), height), Image.LANCZOS)
        for picture in pictures
    ]
    width = sum(cell.width for cell in cells) + GAP * (len(cells) - 1)
    row = Image.new("RGB", (width, height), "white")
    x = 0
    for cell in cells:
        row.paste(cell, (x, 0))
        x += cell.width + GAP
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", help="the pictures, from left to right")
    parser.add_argument("output", help="the picture to write")
    arguments = parser.parse_args()
    pictures = [
        ImageOps.exif_transpose(Image.open(name)).convert("RGB") for name in arguments.pictures
    ]
    side_by_side(pictures).save(arguments.output, quality=90)
