"""What headers tell, against Pillow, and what is not imported and not decoded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.header import Header, read_header
from tests.core.helpers.pictures import exif, noise, png, save


@pytest.mark.parametrize(
    ("suffix", "form"),
    [
        *[("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("tif", "TIFF"), ("bmp", "BMP")],
        *[("gif", "GIF"), ("ppm", "PPM"), ("avif", "AVIF"), ("jp2", "JPEG2000")],
    ],
)
def test_every_format(tmp_path: Path, suffix: str, form: str) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise(20, 30, 3)))
    assert read_header(path, 100) == Header((20, 30), form, False, 1)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "avif", "jp2"])
def test_transparency(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise(20, 30, 4)))
    assert read_header(path, 100).has_alpha


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
def test_the_size_is_upright(tmp_path: Path, suffix: str) -> None:
    how = {"tiffinfo": {274: 6}} if suffix == "tif" else {"exif": exif(6)}
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise(20, 30, 3)), **how)
    assert read_header(path, 100).size == (30, 20)


def test_an_orientation_behind_the_data_of_a_png(tmp_path: Path) -> None:
    data = png(noise(20, 30, 3))
    start = png(noise(20, 30, 3), extra=[(b"eXIf", exif(6)[6:])])
    chunk = start[33 : 33 + len(start) - len(data)]
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert read_header(tmp_path / "a.png", 100).size == (30, 20)


def test_nothing_is_decoded(tmp_path: Path) -> None:
    data = png(np.zeros((1, 1, 3), np.uint8), header=(9000, 9000, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(data)
    assert read_header(tmp_path / "a.png", 100).size == (9000, 9000)
    with pytest.raises(InputError, match="megapixels"):
        read_header(tmp_path / "a.png", 10)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, instyle_core.images.header; "
        "print(*{'torch', 'cv2', 'scipy', 'pillow_heif'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_several_frames_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(8, 8, 3, seed=seed)) for seed in range(3)]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="3 frames"):
        read_header(path, 100)
