"""Damaged files of every format: an error in plain words, or a picture; nothing else."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.header import read_header
from instyle_core.images.picture import read_picture
from tests.core.helpers.pictures import P3_PROFILE, exif, noise, png
from tests.core.helpers.tiff import gray_tiff


def encoded(form: str, channels: int = 3, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(24, 36, channels)).save(file, form, **options)
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded("PNG", 4, exif=exif(6), icc_profile=P3_PROFILE),
    "16-bit png": lambda: png(noise(9, 8, 4, dtype=np.uint16)),
    "jpeg": lambda: encoded("JPEG", exif=exif(6), icc_profile=P3_PROFILE),
    "progressive jpeg": lambda: encoded("JPEG", progressive=True),
    "webp": lambda: encoded("WEBP", 4, exif=exif(6)),
    "tiff": lambda: encoded("TIFF"),
    "deflated tiff": lambda: encoded("TIFF", compression="tiff_adobe_deflate"),
    "16-bit tiff": lambda: gray_tiff(np.arange(600).reshape(20, 30) * 100, 16, deflated=True),
    "bmp": lambda: encoded("BMP"),
    "gif": lambda: encoded("GIF"),
    "ppm": lambda: encoded("PPM"),
    "avif": lambda: encoded("AVIF", 4, exif=exif(6)),
    "jpeg 2000": lambda: encoded("JPEG2000", 4),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    place = chance.randrange(min(len(data), chance.choice([40, 400, 10**6])))
    match chance.choice(["cut", "flip", "flip", "fill", "lose", "double"]):
        case "cut":
            return data[:place]
        case "flip":
            changed[place] ^= 1 << chance.randrange(8)
        case "fill":
            changed[place : place + 4] = b"\xff" * 4
        case "lose":
            del changed[place : place + 7]
        case "double":
            changed[place:place] = changed[place : place + 30]
    return bytes(changed)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.filterwarnings("ignore")
def test_an_error_in_plain_words_or_a_picture(tmp_path: Path, kind: str) -> None:
    data, chance = FILES[kind](), random.Random(kind)
    for _ in range(25):
        (tmp_path / "a.png").write_bytes(damaged(data, chance))
        for read in (lambda path: read_header(path, 1), lambda path: read_picture(path)):
            with contextlib.suppress(InputError):
                read(tmp_path / "a.png")


def test_a_chunk_that_claims_to_have_gigabytes(tmp_path: Path) -> None:
    data = bytearray(png(noise(9, 8, 4, dtype=np.uint16)))
    place = data.index(b"IDAT")
    data[place - 4 : place] = b"\xff" * 4
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read_picture(tmp_path / "a.png")


def test_a_profile_for_no_colors_that_there_are(tmp_path: Path) -> None:
    profile = P3_PROFILE.replace(b"RGB ", b"R\xff\xff ", 1)
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG", icc_profile=profile))
    assert read_picture(tmp_path / "a.jpg").icc is None
