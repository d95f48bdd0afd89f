"""Color profiles, against closed forms."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from instyle_core.images.picture import read_picture, write_picture
from tests.core.helpers.pictures import (
    CMYK_PROFILE,
    CYAN_LAB,
    GAMMA,
    GREY_PROFILE,
    MAGENTA_LAB,
    OWN_SRGB_PROFILE,
    P3_PROFILE,
    PILLOW_SRGB_PROFILE,
    SCANNER_PROFILE,
    as_rgb8,
    encode,
    far,
    lab_to_srgb,
    noise,
    p3_to_srgb,
    png,
    save,
)


def test_p3_is_converted_and_the_samples_are_not(tmp_path: Path) -> None:
    samples = noise(16, 16, 3)
    image = Image.fromarray(samples)
    picture = read_picture(save(tmp_path / "a.png", image, icc_profile=P3_PROFILE))
    want = np.rint(p3_to_srgb(samples / 255) * 255)
    assert far(want, samples) > 20
    assert far(as_rgb8(picture.pixels), want) <= 1
    assert np.array_equal(picture.samples, samples)
    assert picture.icc == P3_PROFILE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("profile", [PILLOW_SRGB_PROFILE, OWN_SRGB_PROFILE])
def test_srgb_by_any_name_is_not_converted(tmp_path: Path, profile: bytes, dtype: type) -> None:
    samples = noise(32, 32, 3, dtype=dtype)
    chunk = b"p\0\0" + zlib.compress(profile)
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"iCCP", chunk)]))
    picture = read_picture(tmp_path / "a.png")
    top = np.iinfo(dtype).max
    assert np.allclose(picture.pixels.numpy().transpose(1, 2, 0), samples / top, atol=1e-7)
    assert picture.icc == profile
    write_picture(tmp_path / "b.png", 1 - picture.pixels, like=picture)
    assert np.array_equal(read_picture(tmp_path / "b.png").samples, top - samples)
    with Image.open(tmp_path / "b.png") as written:
        assert written.info["icc_profile"] == profile


@pytest.mark.parametrize(
    "profile",
    [b"junk" * 50, P3_PROFILE[:200], CMYK_PROFILE, GREY_PROFILE],
    ids=["junk", "truncated", "for CMYK", "for gray"],
)
def test_a_profile_that_cannot_apply_is_ignored(tmp_path: Path, profile: bytes) -> None:
    samples = noise(8, 8, 3)
    image = Image.fromarray(samples)
    picture = read_picture(save(tmp_path / "a.png", image, icc_profile=profile))
    assert np.array_equal(as_rgb8(picture.pixels), samples)
    assert picture.icc is None
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        assert "icc_profile" not in written.info
        assert np.array_equal(np.asarray(written), samples)


def test_a_profile_that_leads_one_way_is_spent_on_reading(tmp_path: Path) -> None:
    corners = np.array(
        [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], np.uint8
    )
    image = Image.fromarray(corners[None])
    picture = read_picture(save(tmp_path / "a.png", image, icc_profile=SCANNER_PROFILE))
    want = [255 * lab_to_srgb((lightness, 0, 0)) for lightness in (0, 12.5, 25, 62.5, 100)]
    assert far(picture.samples[0], np.rint(want)) <= 2
    assert np.array_equal(as_rgb8(picture.pixels), picture.samples)
    assert picture.icc is None


@pytest.mark.parametrize("deep", [False, True])
def test_gray_profile(tmp_path: Path, deep: bool) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    chunk = b"gray\0\0" + zlib.compress(GREY_PROFILE)
    samples = levels.astype(np.uint16) * 257 - 3 * (levels % 2) if deep else levels
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"iCCP", chunk)]))
    picture = read_picture(tmp_path / "a.png")
    want = np.rint(255 * encode((levels / 255) ** GAMMA)).repeat(3, axis=2)
    assert far(want, np.broadcast_to(levels, want.shape)) > 10
    assert far(as_rgb8(picture.pixels), want) <= 1
    assert np.array_equal(picture.samples, samples.repeat(3, axis=2))
    # Untouched samples stay, and look the same.
    pixels = picture.pixels.clone()
    pixels[:, 0, 0] = 0.5
    write_picture(tmp_path / "b.png", pixels, like=picture)
    again = read_picture(tmp_path / "b.png")
    assert np.array_equal(again.samples[1:], picture.samples[1:])
    assert far(as_rgb8(again.pixels[:, 1:]), want[1:]) <= 1
    assert far(as_rgb8(again.pixels[:, :1, :1]), np.full((1, 1, 3), 128)) <= 1
    with Image.open(tmp_path / "b.png") as written:  # a second program agrees
        profile = ImageCms.ImageCmsProfile(io.BytesIO(written.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        seen = ImageCms.profileToProfile(written.convert("RGB"), profile, srgb)
        assert seen is not None
        assert far(np.asarray(seen)[1:], want[1:]) <= 1


def test_an_unusual_gray_profile_is_spent_on_reading(tmp_path: Path) -> None:
    in_lab = GREY_PROFILE.replace(b"XYZ \x07\xea", b"Lab \x07\xea", 1)
    assert in_lab != GREY_PROFILE
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = save(tmp_path / "a.png", Image.fromarray(levels), icc_profile=in_lab)
    picture = read_picture(path)
    assert picture.icc is None
    assert np.array_equal(as_rgb8(picture.pixels), picture.samples)


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk_through_its_profile(tmp_path: Path, suffix: str) -> None:
    inks = {(0, 0, 0, 0): (100, 0, 0), (255, 0, 0, 0): CYAN_LAB, (0, 255, 0, 0): MAGENTA_LAB}
    inks[(0, 0, 0, 255)] = (0, 0, 0)
    for ink, lab in inks.items():
        image = Image.new("CMYK", (16, 16), ink)
        options = {"quality": 100} if suffix == "jpg" else {}
        path = save(tmp_path / f"a.{suffix}", image, icc_profile=CMYK_PROFILE, **options)
        picture = read_picture(path)
        want = np.broadcast_to(np.rint(255 * lab_to_srgb(lab)), (16, 16, 3))
        assert far(picture.samples, want) <= 3
        assert np.array_equal(as_rgb8(picture.pixels), picture.samples)
        assert picture.icc is None


@pytest.mark.parametrize("profile", [None, b"junk" * 50])
def test_cmyk_without_a_profile(tmp_path: Path, profile: bytes | None) -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    picture = read_picture(save(tmp_path / "a.tif", image, icc_profile=profile))
    assert far(picture.samples, np.full((8, 8, 3), (0, 255, 255))) == 0


def test_lab_tiff(tmp_path: Path) -> None:
    for lightness, a, b in [(100, 0, 0), (55, 40, 30), (60, -35, 20), (30, 10, -40)]:
        level = round(lightness * 2.55)
        image = Image.frombytes("LAB", (1, 1), bytes([level, a % 256, b % 256]))
        picture = read_picture(save(tmp_path / "a.tif", image))
        want = np.rint(255 * lab_to_srgb((level / 2.55, a, b)))
        assert far(picture.samples[0, 0], want) <= 2
        assert picture.icc is None
