"""Photo and picture beside each other, as large as told, turned as a camera tells."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instyle_batch import thumbnails

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("size", "side"),
    [((1280, 480), (320, 120)), ((300, 960), (75, 240)), ((40, 30), (40, 30))],
)
def test_both_are_beside_each_other(
    tmp_path: Path, size: tuple[int, int], side: tuple[int, int]
) -> None:
    Image.new("RGB", size, RED).save(tmp_path / "photo.jpg")
    Image.new("RGB", size, BLUE).save(tmp_path / "picture.png")
    to = tmp_path / "pairs" / "inner" / "a.jpg"
    thumbnails.make(tmp_path / "photo.jpg", tmp_path / "picture.png", to)
    with Image.open(to) as image:
        assert image.size == (2 * side[0], side[1])
        pixels = np.asarray(image).astype(int)
    middle = side[1] // 2
    for x, color in ((side[0] // 2, RED), (side[0] + side[0] // 2, BLUE)):
        assert np.abs(pixels[middle, x] - color).max() < 24


def test_a_photo_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), RED).save(tmp_path / "photo.jpg", exif=exif)
    Image.new("RGB", (20, 40), BLUE).save(tmp_path / "picture.png")
    thumbnails.make(tmp_path / "photo.jpg", tmp_path / "picture.png", tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (40, 40)


def test_transparency_and_sixteen_bits_are_shown(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (*RED, 0)).save(tmp_path / "photo.png")
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(tmp_path / "picture.png")
    thumbnails.make(tmp_path / "photo.png", tmp_path / "picture.png", tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").exists()


def test_what_cannot_be_read_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"nothing")
    Image.new("RGB", (20, 20)).save(tmp_path / "picture.png")
    thumbnails.make(tmp_path / "photo.heic", tmp_path / "picture.png", tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


DIES = """
import os, sys
from pathlib import Path
from instyle_batch import thumbnails
os.replace = lambda *paths: os._exit(9)
thumbnails.make(*map(Path, sys.argv[1:]))
"""


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    photo, to = tmp_path / "photo.png", tmp_path / "pairs" / "a.jpg"
    Image.new("RGB", (20, 20), RED).save(photo)
    died = subprocess.run([sys.executable, "-c", DIES, photo, photo, to], check=False)
    assert died.returncode == 9
    assert [path for path in to.parent.iterdir() if path != to]
    thumbnails.make(photo, photo, to)
    assert [*to.parent.iterdir()] == [to]


def test_nothing_is_left_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Image.Image, to: Path, *_: object, **__: object) -> None:
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    photo, to = tmp_path / "photo.png", tmp_path / "pairs" / "a.jpg"
    Image.new("RGB", (20, 20), RED).save(photo)
    monkeypatch.setattr(Image.Image, "save", full)
    thumbnails.make(photo, photo, to)
    assert [*to.parent.iterdir()] == []
