"""Profiles made of what else files say of their colors, against closed forms."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from instyle_core.images.picture import Picture, read_picture, write_picture
from instyle_core.images.profiles import rgb_of_gray
from tests.core.helpers.pictures import (
    D65,
    GREY_PROFILE,
    P3,
    P3_PROFILE,
    SRGB,
    as_rgb8,
    encode,
    far,
    noise,
    png,
    to_xyz,
)


def gamma_png(path: Path, samples: np.ndarray, *extra: tuple[bytes, bytes]) -> Picture:
    path.write_bytes(png(samples, extra=extra))
    return read_picture(path)


GAMMAS = [(1.0, 1), (1.8, 1), (2.6, 3), (1.0, 3)]


@pytest.mark.parametrize(("gamma", "channels"), GAMMAS)
def test_gamma_of_png(tmp_path: Path, gamma: float, channels: int) -> None:
    samples = noise(16, 16, channels)
    chunk = (b"gAMA", struct.pack(">I", round(100000 / gamma)))
    picture = gamma_png(tmp_path / "a.png", samples, chunk)
    want = np.broadcast_to(np.rint(255 * encode((samples / 255) ** gamma)), (16, 16, 3))
    assert far(as_rgb8(picture.pixels), want) <= 1
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    again = read_picture(tmp_path / "b.png")
    assert np.array_equal(again.samples, picture.samples)
    assert np.array_equal(again.samples, np.broadcast_to(samples, (16, 16, 3)))
    assert far(as_rgb8(again.pixels), want) <= 1


def test_primaries_of_png(tmp_path: Path) -> None:
    samples = noise(16, 16, 3)
    corners = (D65, *P3)
    chunks = [
        (b"gAMA", struct.pack(">I", 50000)),
        (b"cHRM", struct.pack(">8I", *(round(1e5 * value) for xy in corners for value in xy))),
    ]
    picture = gamma_png(tmp_path / "a.png", samples, *chunks)
    linear = (samples / 255) ** 2 @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(P3)).T
    assert far(as_rgb8(picture.pixels), np.rint(255 * encode(linear))) <= 2


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],
        [(b"gAMA", struct.pack(">I", 100000)), (b"sRGB", b"\0")],
        [(b"gAMA", struct.pack(">I", 0))],
        [(b"cHRM", struct.pack(">8I", *[0] * 8))],
    ],
    ids=["as sRGB has it", "beside sRGB", "zero", "no colors"],
)
def test_gammas_that_mean_srgb(tmp_path: Path, chunks: list[tuple[bytes, bytes]]) -> None:
    samples = noise(16, 16, 3)
    picture = gamma_png(tmp_path / "a.png", samples, *chunks)
    assert picture.icc is None
    assert np.array_equal(as_rgb8(picture.pixels), samples)


def test_a_profile_is_believed_before_a_gamma(tmp_path: Path) -> None:
    samples = noise(16, 16, 3)
    chunks = [(b"gAMA", struct.pack(">I", 100000)), (b"iCCP", b"p\0\0" + zlib.compress(P3_PROFILE))]
    picture = gamma_png(tmp_path / "a.png", samples, *chunks)
    assert picture.icc == P3_PROFILE


def test_other_libraries_take_the_profile(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libpng is strict about profiles, and says so."""
    made = rgb_of_gray(GREY_PROFILE)
    assert made is not None
    chunk = b"p\0\0" + zlib.compress(made)
    (tmp_path / "a.png").write_bytes(png(noise(4, 4, 3, dtype=np.uint16), extra=[(b"iCCP", chunk)]))
    assert cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED) is not None
    assert "iCCP" not in capfd.readouterr().err
    opened = ImageCms.getOpenProfile(io.BytesIO(made)).profile
    assert opened.xcolor_space.strip() == "RGB"
    assert opened.profile_description == "RGB"


@pytest.mark.parametrize("kept", [0, 100, 131, 140])
def test_a_gray_profile_that_is_cut_off(kept: int) -> None:
    with pytest.raises(struct.error):
        rgb_of_gray(GREY_PROFILE[:kept])


def test_a_profile_in_jpeg_2000(tmp_path: Path) -> None:
    samples = noise(16, 16, 3)
    Image.fromarray(samples).save(tmp_path / "a.png", icc_profile=P3_PROFILE)
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.jp2", picture.pixels, like=picture)
    again = read_picture(tmp_path / "b.jp2")
    assert again.icc == P3_PROFILE
    assert np.array_equal(again.samples, samples)
    assert far(as_rgb8(again.pixels), as_rgb8(picture.pixels)) == 0
