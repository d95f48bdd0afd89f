"""What headers tell, against Pillow, and what is not imported and not decoded for it."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images import header
from instyle_core.images.header import Header, read_header
from instyle_core.images.picture import read_picture, write_picture
from tests.core.helpers.pictures import P3_PROFILE, exif, far, noise, png, save


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


def test_more_text_than_pillow_reads(tmp_path: Path) -> None:
    """As ComfyUI writes it; and by its name, no text is taken for a property of the picture."""
    samples = noise(8, 9, 3)
    packed = zlib.compress(b"x" * 5_000_000)
    chunks = [
        (b"tEXt", b"workflow\0" + b"w" * 3_000_000),
        *[(b"zTXt", b"prompt\0\0" + packed)] * 20,
        (b"iTXt", b"more\0\1\0\0\0" + packed),
        (b"tEXt", b"transparency\0yes"),
        (b"tEXt", b"icc_profile\0none"),
        (b"tEXt", b"exif\0MM"),
    ]
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, extra=chunks))
    assert read_header(path, 100) == Header((8, 9), "PNG", False, 1)
    assert np.array_equal(read_picture(path).samples, samples)
    data = png(samples)
    path.write_bytes(data[:-12] + png(samples, extra=chunks)[33 : 33 - len(data)] + data[-12:])
    assert np.array_equal(read_picture(path).samples, samples)


def test_a_large_profile(tmp_path: Path) -> None:
    """A JPEG may have one; the PNG that is made of it has to be read again."""
    profile = P3_PROFILE + bytes(3 * 2**20)
    path = save(tmp_path / "a.jpg", Image.fromarray(noise(8, 8, 3)), icc_profile=profile)
    picture = read_picture(path)
    assert picture.icc == profile
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    assert read_picture(tmp_path / "b.png").icc == profile


def test_a_profile_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    chunk = b"p\0\0" + zlib.compress(bytes(200 * 2**20))
    (tmp_path / "a.png").write_bytes(png(noise(8, 9, 3), extra=[(b"iCCP", chunk)]))
    with pytest.raises(InputError, match="damaged"):
        read_picture(tmp_path / "a.png")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.avif").open("wb") as file:
        file.write(b"\0\0\0\x20ftypavif")
        file.truncate(20 * 2**30)  # takes no room
    with pytest.raises(InputError, match="megabytes"):
        read_header(tmp_path / "a.avif", 100)


def test_heic_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    monkeypatch.setattr(header, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pillow-heif") as caught:
        read_picture(tmp_path / "a.heic")
    assert "instyle[heic]" in (caught.value.hint or "")


def test_heic(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    y, x = np.mgrid[:40, :60]
    samples = np.dstack([4 * x, 6 * y, 2 * x + 3 * y]).astype(np.uint8)
    heif = pillow_heif.from_pillow(Image.fromarray(samples))
    exif_of_a_phone = exif(6, make="Apple")
    heif.save(tmp_path / "a.heic", quality=95, exif=exif_of_a_phone)
    picture = read_picture(tmp_path / "a.heic")
    assert read_header(tmp_path / "a.heic", 100).size == picture.size
    want = samples if picture.size == (40, 60) else np.rot90(samples, -1)
    assert far(picture.samples, want) < 20
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        assert dict(written.getexif()) == {0x010F: "Apple"}
