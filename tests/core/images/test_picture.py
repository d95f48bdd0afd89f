"""Writing pictures, against files decoded by other libraries."""

import os
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from instyle_core.errors import InputError, InstyleError
from instyle_core.images import picture as images
from instyle_core.images.picture import check_output, read_picture, write_picture
from tests.core.helpers.pictures import (
    FEW,
    P3_PROFILE,
    PILLOW_SRGB_PROFILE,
    exif,
    far,
    noise,
    png,
    save,
    srgb_to_p3,
)


@FEW
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
    seed=st.integers(0, 2**32 - 1),
    profile=st.sampled_from([None, PILLOW_SRGB_PROFILE, P3_PROFILE]),
)
def test_8_bit_png_round_trip(
    tmp_path: Path, shape: tuple[int, int, int], seed: int, profile: bytes | None
) -> None:
    samples = noise(*shape, seed=seed)
    extra = [(b"iCCP", b"p\0\0" + zlib.compress(profile))] if profile and shape[2] > 2 else []
    (tmp_path / "a.png").write_bytes(png(samples, extra=extra))
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        got = np.asarray(written)
    color = samples if shape[2] > 2 else samples[..., [0, 0, 0, 1][: shape[2] + 2]]
    assert np.array_equal(got, color)


def test_without_a_model_pixels_are_rounded_and_clamped(tmp_path: Path) -> None:
    levels = torch.tensor([-1.0, 0.4, 0.6, 100.4, 100.6, 254.6, 300.0]) / 255
    write_picture(tmp_path / "a.PNG", levels.expand(3, 2, 7))
    got = cv2.imread(str(tmp_path / "a.PNG"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(
        got, np.broadcast_to([[[0], [0], [1], [100], [101], [255], [255]]], got.shape)
    )


def test_every_level_survives_8_and_16_bits(tmp_path: Path) -> None:
    every8 = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    every16 = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    for samples in (every8, every16):
        (tmp_path / "a.png").write_bytes(png(samples))
        picture = read_picture(tmp_path / "a.png")
        moved = picture.pixels.clone()
        moved[0] = 1 - moved[0]  # nearly everything changed, so nothing is copied over
        write_picture(tmp_path / "b.png", moved, like=picture)
        got = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
        assert got.dtype == samples.dtype
        assert np.array_equal(got[..., 0], samples[..., 2])
        assert np.array_equal(got[..., 2], np.iinfo(samples.dtype).max - samples[..., 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_untouched_p3_pixels_stay_and_repainted_ones_are_converted(
    tmp_path: Path, dtype: type
) -> None:
    samples = noise(20, 24, 4, dtype=dtype)
    chunks = [(b"iCCP", b"p\0\0" + zlib.compress(P3_PROFILE)), (b"eXIf", exif(1)[6:])]
    (tmp_path / "a.png").write_bytes(png(samples, extra=chunks))
    picture = read_picture(tmp_path / "a.png")
    paint = noise(5, 6, 3, seed=1)
    pixels = picture.pixels.clone()
    pixels[:, 3:8, 10:16] = torch.from_numpy(paint.transpose(2, 0, 1) / np.float32(255))
    write_picture(tmp_path / "b.png", pixels, like=picture)

    got = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    assert got.dtype == dtype
    inside = np.zeros((20, 24), bool)
    inside[3:8, 10:16] = True
    assert np.array_equal(got[~inside], samples[~inside])
    assert np.array_equal(got[..., 3], samples[..., 3])
    want = np.rint(srgb_to_p3(paint / 255) * 255)
    scale = 1 if dtype == np.uint8 else 257
    assert far(got[3:8, 10:16, :3], want * scale) <= scale
    with Image.open(tmp_path / "b.png") as written:
        written.load()
        assert written.info["icc_profile"] == P3_PROFILE
        assert dict(written.getexif()) == {0x010F: "Kodak"}
        assert far(np.asarray(written), got // scale) <= 1  # a second decoder agrees


def test_a_single_changed_channel_counts_as_repainted(tmp_path: Path) -> None:
    samples = np.full((1, 2, 3), (255, 0, 0), np.uint8)
    image = Image.fromarray(samples)
    picture = read_picture(save(tmp_path / "a.png", image, icc_profile=P3_PROFILE))
    pixels = picture.pixels.clone()
    pixels[2, 0, 1] = 1.0
    write_picture(tmp_path / "b.png", pixels, like=picture)
    got = read_picture(tmp_path / "b.png").samples
    assert np.array_equal(got[0, 0], samples[0, 0])
    assert far(got[0, 1], np.rint(255 * srgb_to_p3(np.array([1.0, 0, 1])))) <= 1


@pytest.mark.parametrize("profile", [None, P3_PROFILE])
@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp", "avif", "jp2"])
def test_16_bits_become_8_elsewhere(tmp_path: Path, suffix: str, profile: bytes | None) -> None:
    smooth = np.linspace(0, 65535, 32 * 32).reshape(32, 32, 1).repeat(3, axis=2).astype(np.uint16)
    extra = [(b"iCCP", b"p\0\0" + zlib.compress(profile))] if profile else []
    (tmp_path / "a.png").write_bytes(png(smooth, extra=extra))
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
    with Image.open(tmp_path / f"b.{suffix}") as written:
        got = np.asarray(written)
        assert written.mode == "RGB"
    assert read_picture(tmp_path / f"b.{suffix}").icc == profile
    want = np.floor(smooth / 257 + 0.5)
    assert far(got, want) <= (0 if suffix == "jp2" else 8)
    (note,) = check_output(tmp_path / f"b.{suffix}", picture)
    assert "8 bits" in note


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_are_kept_where_there_is_room(tmp_path: Path, suffix: str, channels: int) -> None:
    samples = noise(9, 8, channels, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(samples))
    picture = read_picture(tmp_path / "a.png")
    assert check_output(tmp_path / f"b.{suffix}", picture) == ()
    write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
    got = cv2.imread(str(tmp_path / f"b.{suffix}"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(got[..., [2, 1, 0, 3][:channels]], samples)


def test_jpeg_keeps_color_at_full_resolution(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", torch.rand(3, 16, 16))
    with Image.open(tmp_path / "a.jpg") as written:
        assert all(layer[1:3] == (1, 1) for layer in written.layer)  # type: ignore[attr-defined]
        assert max(written.quantization[0]) <= 20  # type: ignore[attr-defined]


def test_webp_keeps_alpha_bit_for_bit(tmp_path: Path) -> None:
    samples = noise(24, 24, 4)
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(samples)))
    write_picture(tmp_path / "b.webp", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.webp") as written:
        assert written.format == "WEBP"
        assert np.array_equal(np.asarray(written)[..., 3], samples[..., 3])


def test_the_format_follows_the_suffix(tmp_path: Path) -> None:
    picture = read_picture(save(tmp_path / "a.jpg", Image.fromarray(noise(8, 8, 3))))
    for suffix, form in {"png": "PNG", "JPG": "JPEG", "webp": "WEBP", "tif": "TIFF"}.items():
        write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
        with Image.open(tmp_path / f"b.{suffix}") as written:
            assert written.format == form


def test_pixels_may_require_grad(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", torch.zeros(3, 2, 2, requires_grad=True))
    assert read_picture(tmp_path / "a.png").size == (2, 2)


def test_a_model_of_another_size_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    picture = read_picture(save(tmp_path / "a.png", Image.new("RGB", (3, 2))))
    with pytest.raises(ValueError, match="size"):
        write_picture(tmp_path / "b.png", torch.zeros(3, 3, 2), like=picture)


@pytest.mark.parametrize("failing", ["save", "imencode", "replace"])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    dtype = np.uint16 if failing == "imencode" else np.uint8
    (tmp_path / "in.png").write_bytes(png(noise(4, 4, 3, dtype=dtype)))
    picture = read_picture(tmp_path / "in.png")
    target = tmp_path / "out.png"
    target.write_bytes(b"the old picture")

    def broken(*args: Any, **_: Any) -> None:
        if failing == "save":
            args[1].write(b"\x89PNG half")
        raise OSError(28, "No space left on device")

    owner = {"save": Image.Image, "imencode": cv2, "replace": os}[failing]
    monkeypatch.setattr(owner, failing, broken)
    with pytest.raises((OSError, InstyleError), match="No space left"):
        write_picture(target, picture.pixels, like=picture)
    assert target.read_bytes() == b"the old picture"
    assert sorted(os.listdir(tmp_path)) == ["in.png", "out.png"]


# Checks before the work


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".JPEG", ".webp", ".tif", ".tiff", ".avif", ".jp2"]
)
def test_possible_outputs(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(save(tmp_path / "a.png", Image.new("RGB", (3, 2))))
    check_output(tmp_path / f"b{suffix}")
    check_output(tmp_path / f"b{suffix}", picture)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("name", ["b.gif", "b.bmp", "b", "png", "b.png.exe"])
def test_unknown_suffix(tmp_path: Path, name: str) -> None:
    for attempt in (check_output, lambda path: write_picture(path, torch.zeros(3, 2, 2))):
        with pytest.raises(InputError, match="picture format") as caught:
            attempt(tmp_path / name)
        assert ".webp" in (caught.value.hint or "")
        assert caught.value.where == str(tmp_path / name)


def test_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no folder"):
        check_output(tmp_path / "missing" / "b.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="a folder, not a file"):
        check_output(tmp_path / "folder.png")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(InputError, match="may not be written"):
        check_output(tmp_path / "b.png")


def test_jpeg_cannot_hold_transparency(tmp_path: Path) -> None:
    clear = read_picture(save(tmp_path / "a.png", Image.new("RGBA", (3, 2), (1, 2, 3, 254))))
    for attempt in (check_output, lambda p, like: write_picture(p, like.pixels, like=like)):
        with pytest.raises(InputError, match="transparency") as caught:
            attempt(tmp_path / "b.jpg", clear)
        assert ".png" in (caught.value.hint or "")
        assert ".webp" in (caught.value.hint or "")
        attempt(tmp_path / "b.webp", clear)


def test_an_opaque_alpha_channel_is_no_loss_to_jpeg(tmp_path: Path) -> None:
    opaque = read_picture(save(tmp_path / "a.png", Image.new("RGBA", (8, 8), (90, 90, 90, 255))))
    check_output(tmp_path / "b.jpg", opaque)
    write_picture(tmp_path / "b.jpg", opaque.pixels, like=opaque)
    assert far(read_picture(tmp_path / "b.jpg").samples, opaque.samples) <= 1


def test_a_profile_that_a_format_cannot_hold(tmp_path: Path) -> None:
    """Without it, the colors would be wrong."""
    chunk = b"p\0\0" + zlib.compress(P3_PROFILE + bytes(17 * 2**20))
    (tmp_path / "a.png").write_bytes(png(noise(8, 8, 3), extra=[(b"iCCP", chunk)]))
    picture = read_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match="profile is too long") as caught:
        check_output(tmp_path / "b.jpg", picture)
    assert caught.value.where == str(tmp_path / "b.jpg")
    for suffix in ("png", "webp", "tif", "avif", "jp2"):
        assert check_output(tmp_path / f"b.{suffix}", picture) == ()
        write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
        assert read_picture(tmp_path / f"b.{suffix}").icc == picture.icc


def test_what_cannot_be_encoded_is_found_out_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(noise(20, 20, 3))))
    sizes: list[tuple[int, int]] = []

    def broken(image: Image.Image, *_: Any, **__: Any) -> None:
        sizes.append(image.size)
        raise OSError("encoder error")

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(InputError, match="encoder error"):
        check_output(tmp_path / "b.webp", picture)
    assert sizes == [(8, 8)]


def test_a_picture_is_written_though_its_metadata_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(noise(20, 20, 3))
    picture = read_picture(save(tmp_path / "a.png", image, exif=exif(1), icc_profile=P3_PROFILE))
    save_it = Image.Image.save

    def picky(image: Image.Image, *args: Any, **options: Any) -> None:
        if "exif" in options:
            raise TypeError("no such tag")
        save_it(image, *args, **options)

    monkeypatch.setattr(Image.Image, "save", picky)
    (note,) = write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    assert "metadata" in note
    again = read_picture(tmp_path / "b.png")
    assert np.array_equal(again.samples, picture.samples)
    assert again.icc == P3_PROFILE
    assert again.exif is None


@pytest.mark.parametrize(("suffix", "longest"), [("webp", 16383), ("jpg", 65500), ("avif", 32768)])
def test_longest_sides(tmp_path: Path, suffix: str, longest: int) -> None:
    fits = read_picture(save(tmp_path / "a.png", Image.new("RGB", (longest, 1))))
    check_output(tmp_path / f"b.{suffix}", fits)
    write_picture(tmp_path / f"b.{suffix}", fits.pixels, like=fits)
    assert read_picture(tmp_path / f"b.{suffix}").size == (1, longest)

    large = read_picture(save(tmp_path / "a.png", Image.new("RGB", (1, longest + 1))))
    with pytest.raises(InputError, match=str(longest)):
        check_output(tmp_path / f"b.{suffix}", large)
    with pytest.raises(InputError, match=str(longest)):
        write_picture(tmp_path / f"b.{suffix}", large.pixels)
    check_output(tmp_path / "b.png", large)


def test_the_default_limit() -> None:
    assert images.MAX_MEGAPIXELS == 100
