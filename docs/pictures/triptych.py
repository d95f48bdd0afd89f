"""Lay a photo, a style picture and a result side by side, for the README.

instyle demo -o demo
python docs/pictures/triptych.py demo/cat.png demo/swirls.jpg demo/cat-swirls.png OUTPUT
"""

from __future__ import annotations

import argparse

from PIL import Image, ImageOps

HEIGHT = 300
GAP = 10


def triptych(names: list[str]) -> Image.Image:
    """The pictures in a row, all of one height, on white."""
    pictures = [ImageOps.exif_transpose(Image.open(name)).convert("RGB") for name in names]
    pictures = [
        picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.LANCZOS)
        for picture in pictures
    ]
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, HEIGHT), "white")
    x = 0
    for picture in pictures:
        row.paste(picture, (x, 0))
        x += picture.width + GAP
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", help="the pictures, from left to right")
    parser.add_argument("output", help="the picture to write")
    arguments = parser.parse_args()
    triptych(arguments.pictures).save(arguments.output, quality=90)
