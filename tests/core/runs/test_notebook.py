"""What a notebook shows of a result."""

from __future__ import annotations

import base64
import io
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instyle_core.runs.notebook import LONGEST, gallery
from tests.core.helpers.pictures import noise, png
from tests.core.helpers.studio import Studio


def shown(text: str) -> dict[str, Image.Image]:
    """The pictures within the text, by their captions."""
    pattern = r'src="data:image/png;base64,([^"]+)" alt="([^"]*)"'
    return {
        caption: Image.open(io.BytesIO(base64.b64decode(data)))
        for data, caption in re.findall(pattern, text)
    }


def test_a_result_shows_before_after_and_mask(studio: Studio) -> None:
    result = studio.run()
    pictures = shown(result._repr_html_())
    assert list(pictures) == ["before", "after", "object-0"]
    np.testing.assert_array_equal(np.asarray(pictures["before"].convert("RGB")), studio.photo)
    np.testing.assert_array_equal(np.asarray(pictures["after"].convert("RGB")), studio.output)


@pytest.mark.parametrize("size", [(1000, 500), (300, 900), (20, 10)])
def test_large_pictures_are_shown_small(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", size, "teal").save(photo)
    picture = shown(gallery(photo, tmp_path / "gone.png", tmp_path))["before"]
    factor = min(1, LONGEST / max(size))
    assert picture.size == tuple(round(side * factor) for side in size)
    assert picture.getpixel((0, 0)) == (0, 128, 128)


def test_the_photo_is_shown_upright(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    Image.new("RGB", (40, 20)).save(photo, exif=exif)
    assert shown(gallery(photo, photo, tmp_path))["before"].size == (20, 40)


def test_what_is_gone_is_left_out(tmp_path: Path) -> None:
    assert not shown(gallery(tmp_path / "a.png", tmp_path / "b.png", tmp_path))


def test_it_shows_what_runs_read(tmp_path: Path) -> None:
    """Such as 16 bits, and more text than Pillow reads."""
    text = (b"tEXt", b"workflow\0" + b"w" * 3_000_000)
    packed = (b"zTXt", b"prompt\0\0" + zlib.compress(bytes(3_000_000)))
    samples = noise(20, 30, 3, dtype=np.uint16)
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(samples, extra=[text, packed]))
    picture = shown(gallery(photo, tmp_path / "gone.png", tmp_path))["before"]
    assert np.abs(np.asarray(picture) - samples / 257).max() <= 0.51


def test_what_was_damaged_since_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert not shown(gallery(tmp_path / "a.png", tmp_path / "b.png", tmp_path))
