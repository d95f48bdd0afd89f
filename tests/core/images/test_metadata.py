"""Which metadata is handed on, in every format that is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from instyle_core.images.picture import check_output, read_picture, write_picture
from tests.core.helpers.pictures import P3_PROFILE, far, noise, save

WRITTEN = ["png", "jpg", "webp", "tif", "avif", "jp2"]
CAMERA, PLACE = 0x8769, 0x8825

SCENE = {
    0x010E: "a cat",
    0x010F: "Leica",
    0x0110: "M3",
    0x0132: "2020:01:02 03:04:05",
    0x013B: "Ann",
    0x8298: "(c) Ann",
}
EXPOSURE = {0x8827: 100, 0x829A: 0.004, 0x9003: "2020:01:02 03:04:05", 0x9286: b"ASCII\0\0\0hello"}
LATITUDE = {1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 1.0)}

#: Widths, strips, samples, offsets: true of the photo's file alone.
LAYOUT = {
    **{0x0100: 4000, 0x0101: 3000, 0x0102: (16, 16, 16), 0x0103: 7, 0x0106: 6, 0x0111: 8},
    **{0x0115: 4, 0x0116: 10, 0x0117: 99, 0x0152: 1, 0x0201: 500, 0x0202: 900, 0x0131: "firmware"},
}
LAYOUT_OF_CAMERA = {
    0xA001: 65535,
    0xA002: 4000,
    0xA003: 3000,
    0x927C: b"maker" * 50,
    0x9214: (1, 2),
}


def camera_jpeg(path: Path, orientation: int = 1, **options: Any) -> Path:
    exif = Image.Exif()
    for tag, value in {**SCENE, **LAYOUT, 0x0112: orientation}.items():
        exif[tag] = value
    exif.get_ifd(CAMERA).update({**EXPOSURE, **LAYOUT_OF_CAMERA})
    exif.get_ifd(PLACE).update(LATITUDE)
    return save(path, Image.fromarray(noise(16, 24, 3)), exif=exif, **options)


def exif_of(path: Path) -> Image.Exif:
    """As other programs see it; that of a JPEG 2000 file is a TIFF in it."""
    exif = Image.Exif()
    if path.suffix == ".jp2":
        exif.load(path.read_bytes().split(b"JpgTiffExif->JP2")[1])
    elif path.suffix == ".tif":
        with Image.open(path) as image:
            exif = image.getexif()
            exif.get_ifd(CAMERA), exif.get_ifd(PLACE)
    else:
        with Image.open(path) as image:
            exif.load(image.getexif().tobytes())
    return exif


def rounded(tags: dict[int, Any]) -> dict[int, Any]:
    return {
        tag: tuple(map(float, value)) if isinstance(value, tuple) else value
        for tag, value in tags.items()
    }


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("suffix", WRITTEN)
def test_what_tells_of_the_scene_is_kept(tmp_path: Path, suffix: str, orientation: int) -> None:
    picture = read_picture(camera_jpeg(tmp_path / "a.jpg", orientation))
    output = tmp_path / f"b.{suffix}"
    assert check_output(output, picture) == ()
    assert write_picture(output, picture.pixels, like=picture) == ()
    exif = exif_of(output)
    own = {tag: value for tag, value in exif.items() if tag not in (CAMERA, PLACE)}
    if suffix == "tif":  # there, tags of the file itself lie beside them
        own = {tag: value for tag, value in own.items() if tag in SCENE}
    assert own == SCENE
    assert exif.get_ifd(CAMERA) == pytest.approx(EXPOSURE)
    assert rounded(exif.get_ifd(PLACE)) == LATITUDE
    with Image.open(output) as written:
        assert written.size == ((24, 16) if orientation == 1 else (16, 24))


@pytest.mark.parametrize("suffix", WRITTEN)
def test_nothing_is_kept(tmp_path: Path, suffix: str) -> None:
    path = camera_jpeg(tmp_path / "a.jpg", icc_profile=P3_PROFILE, dpi=(300, 300))
    picture = read_picture(path)
    output = tmp_path / f"b.{suffix}"
    assert check_output(output, picture, metadata="none") == ()
    assert write_picture(output, picture.pixels, like=picture, metadata="none") == ()
    data = output.read_bytes()
    assert b"Leica" not in data
    assert b"Ann" not in data
    again = read_picture(output)
    assert again.exif is None
    assert again.dpi is None
    assert again.icc == P3_PROFILE


@pytest.mark.parametrize("suffix", WRITTEN)
def test_the_resolution_is_turned_with_the_picture(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(camera_jpeg(tmp_path / "a.jpg", 6, dpi=(300, 200)))
    assert picture.dpi == (200, 300)
    output = tmp_path / f"b.{suffix}"
    write_picture(output, picture.pixels, like=picture)
    assert read_picture(output).dpi == pytest.approx((200, 300), rel=1e-4)
    if suffix in ("png", "jpg", "tif"):
        with Image.open(output) as written:
            assert written.info["dpi"] == pytest.approx((200, 300), rel=1e-4)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_no_resolution_is_made_up(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(camera_jpeg(tmp_path / "a.jpg"))
    assert picture.dpi is None
    write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
    assert read_picture(tmp_path / f"b.{suffix}").dpi is None


def test_tags_of_wrong_types_are_left_out_alone(tmp_path: Path) -> None:
    """Cameras write nearly anything; one tag must not cost all others, or the picture."""
    exif = Image.Exif()
    exif[0x010F] = "Leica"
    exif[0x0110] = b"\xff\xfe\0bytes"
    exif.get_ifd(CAMERA).update({0x8827: 100, 0x9003: b"\xff\0", 0x829A: (0, 0), 0x9286: b""})
    path = save(tmp_path / "a.jpg", Image.fromarray(noise(16, 24, 3)), exif=exif)
    picture = read_picture(path)
    for suffix in WRITTEN:
        output = tmp_path / f"b.{suffix}"
        assert write_picture(output, picture.pixels, like=picture) == ()
        assert exif_of(output)[0x010F] == "Leica"
        assert exif_of(output).get_ifd(CAMERA)[0x8827] == 100


def test_what_a_format_cannot_hold_is_noted_before_and_after(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70000  # more than a JPEG has room for
    picture = read_picture(save(tmp_path / "a.png", Image.new("RGB", (8, 8)), exif=exif))
    (before,) = check_output(tmp_path / "b.jpg", picture)
    (after,) = write_picture(tmp_path / "b.jpg", picture.pixels, like=picture)
    assert before == after
    assert "metadata" in before
    with Image.open(tmp_path / "b.jpg") as written:
        assert not written.getexif()
    assert far(read_picture(tmp_path / "b.jpg").samples, picture.samples) <= 1
    assert check_output(tmp_path / "b.png", picture) == ()
