"""Reading pictures, against files built from scratch or by other libraries."""

import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.masks import read_mask
from instyle_core.images.picture import read_picture, write_picture
from tests.core.helpers.pictures import (
    UPRIGHT,
    exif,
    far,
    noise,
    png,
    save,
)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
def test_plain_rgb_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    want = noise(7, 5, 3)
    options = {"lossless": True} if suffix == "webp" else {}
    picture = read_picture(save(tmp_path / f"a.{suffix}", Image.fromarray(want), **options))
    assert picture.pixels.dtype == torch.float32
    assert picture.pixels.shape == (3, 7, 5)
    assert np.array_equal(picture.pixels.numpy().transpose(1, 2, 0), (want / np.float32(255)))
    assert np.array_equal(picture.samples, want)
    assert picture.size == (7, 5)
    assert picture.alpha is None
    assert picture.icc is None
    assert picture.exif is None


def test_one_pixel_round_trip(tmp_path: Path) -> None:
    for samples in (np.array([[[9, 200, 77]]], np.uint8), np.array([[[9, 60000, 77]]], np.uint16)):
        (tmp_path / "a.png").write_bytes(png(samples))
        picture = read_picture(tmp_path / "a.png")
        assert picture.size == (1, 1)
        write_picture(tmp_path / "b.png", picture.pixels, like=picture)
        assert np.array_equal(read_picture(tmp_path / "b.png").samples, samples)


def test_names_with_spaces_and_other_alphabets(tmp_path: Path) -> None:
    for samples in (noise(3, 4, 3), noise(3, 4, 3, dtype=np.uint16)):
        source = tmp_path / "Ünï 写真 кот.png"
        source.write_bytes(png(samples))
        picture = read_picture(source)
        write_picture(tmp_path / "aus gabe é.png", picture.pixels, like=picture)
        assert np.array_equal(read_picture(tmp_path / "aus gabe é.png").samples, samples)


def test_gray_becomes_rgb(tmp_path: Path) -> None:
    gray = noise(4, 6)
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(gray)))
    assert np.array_equal(picture.samples, np.stack([gray] * 3, axis=2))
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        assert written.mode == "RGB"


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    bits = noise(4, 9) > 127
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(bits)))
    assert np.array_equal(picture.samples[..., 1], np.where(bits, 255, 0))


def test_gray_with_alpha(tmp_path: Path) -> None:
    samples = noise(4, 6, 2)
    (tmp_path / "a.png").write_bytes(png(samples))
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.samples[..., 2], samples[..., 0])
    assert picture.alpha is not None
    assert torch.equal(picture.alpha, torch.from_numpy(samples[None, ..., 1] / np.float32(255)))


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(tmp_path: Path, transparent: bool) -> None:
    palette = noise(4, 3)
    index = noise(5, 6) % 4
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    options = {"transparency": bytes([255, 0, 100, 255])} if transparent else {}
    picture = read_picture(save(tmp_path / "a.png", image, **options))
    assert np.array_equal(picture.samples, palette[index])
    if transparent:
        assert picture.alpha is not None
        want = np.array([255, 0, 100, 255], np.float32)[index] / 255
        assert np.array_equal(picture.alpha[0].numpy(), want.astype(np.float32))
    else:
        assert picture.alpha is None


def test_color_key_becomes_alpha(tmp_path: Path) -> None:
    samples = noise(3, 3, 3)
    key = b"".join(struct.pack(">H", int(value)) for value in samples[1, 2])
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"tRNS", key)]))
    alpha = read_picture(tmp_path / "a.png").alpha
    want = np.ones((3, 3))
    want[1, 2] = 0
    assert alpha is not None
    assert np.array_equal(alpha[0].numpy(), want)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_is_read_in_full(tmp_path: Path, channels: int) -> None:
    samples = noise(5, 4, channels, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(samples))
    picture = read_picture(tmp_path / "a.png")
    color = samples[..., : 3 if channels > 2 else 1]
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.samples, np.broadcast_to(color, (5, 4, 3)))
    assert np.allclose(picture.pixels.numpy().transpose(1, 2, 0), color / 65535, atol=1e-7)
    if channels in (2, 4):
        assert picture.alpha is not None
        assert np.allclose(picture.alpha[0].numpy(), samples[..., -1] / 65535, atol=1e-7)
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bit_gray_tiff(tmp_path: Path, order: str) -> None:
    gray = noise(4, 5, dtype=np.uint16)
    mode = "I;16" if order == "<u2" else "I;16B"
    image = Image.frombytes(mode, (5, 4), gray.astype(order).tobytes())
    picture = read_picture(save(tmp_path / "a.tif", image))
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.samples[..., 0], gray)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bit_samples_are_refused(tmp_path: Path, dtype: type) -> None:
    save(tmp_path / "a.tif", Image.fromarray(np.full((3, 3), 0.5).astype(dtype)))
    with pytest.raises(InputError, match="32-bit") as caught:
        read_picture(tmp_path / "a.tif")
    assert caught.value.where == str(tmp_path / "a.tif")
    assert caught.value.hint


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "png16", "webp", "tif", "tif-deflate"])
def test_orientation_is_applied_and_forgotten(tmp_path: Path, kind: str, orientation: int) -> None:
    dtype = np.uint16 if kind == "png16" else np.uint8
    stored = noise(4, 6, 4, dtype=dtype)
    stored[..., 3] |= 1  # WebP may change the color of what is wholly transparent
    path = tmp_path / f"a.{kind.rstrip('16').split('-')[0]}"
    if kind == "png16":
        path.write_bytes(png(stored, extra=[(b"eXIf", exif(orientation)[6:])]))
    elif kind.startswith("tif"):
        compression = "tiff_adobe_deflate" if "-" in kind else "raw"
        tags = {274: orientation}
        save(path, Image.fromarray(stored), tiffinfo=tags, compression=compression)
    else:
        options = {"lossless": True} if kind == "webp" else {}
        save(path, Image.fromarray(stored), exif=exif(orientation), **options)

    picture = read_picture(path)
    want = UPRIGHT[orientation](stored)
    assert picture.size == want.shape[:2]
    assert np.array_equal(picture.samples, want[..., :3])
    assert picture.alpha is not None
    top = np.float32(np.iinfo(dtype).max)
    assert np.array_equal(picture.alpha[0].numpy(), want[..., 3] / top)
    assert picture.pixels.shape[1:] == want.shape[:2]

    if not kind.startswith("tif"):
        assert picture.exif is not None
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        tags = written.getexif()
    assert 0x0112 not in tags
    assert tags.get(0x010F) == (None if kind.startswith("tif") else "Kodak")
    assert np.array_equal(read_picture(tmp_path / "b.png").samples, want[..., :3])


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_exif_is_written_back_without_the_orientation(tmp_path: Path, suffix: str) -> None:
    image = Image.fromarray(noise(8, 16, 3))
    picture = read_picture(save(tmp_path / "a.jpg", image, exif=exif(6, make="Leica")))
    assert picture.size == (16, 8)
    write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
    with Image.open(tmp_path / f"b.{suffix}") as written:
        assert written.size == (8, 16)
        assert dict(written.getexif()) == {0x010F: "Leica"}


def test_damaged_exif_does_no_harm(tmp_path: Path) -> None:
    samples = noise(3, 3, 3)
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"eXIf", b"MM\0*\0\0\0\x08\0\x09junk")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.samples, samples)


def test_exif_too_long_for_jpeg_is_left_out(tmp_path: Path) -> None:
    image = Image.fromarray(noise(8, 8, 3))
    picture = read_picture(save(tmp_path / "a.png", image, exif=exif(1, make="x" * 70000)))
    assert picture.exif is not None
    write_picture(tmp_path / "b.jpg", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.jpg") as written:
        assert not written.getexif()


# What cannot be read


def refusal(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_picture(path, **options)
    assert caught.value.where == str(path)
    assert caught.value.hint
    assert caught.value.exit_status == 2
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "cat.png").what


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path).what


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe" in refusal(tmp_path / "pipe.png").what


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert "empty" in refusal(tmp_path / "a.png").what


@pytest.mark.parametrize(
    "data", [b"hello, this is text\n" * 9, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0"]
)
def test_not_a_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    assert "not a picture" in refusal(tmp_path / "a.jpg").what


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", Image.new("RGB", (2, 2)))

    def denied(*_: Any) -> None:  # chmod would not stop root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    error = refusal(tmp_path / "a.png")
    assert "may not be read" in error.what
    assert "permissions" in (error.hint or "")


def test_a_name_too_long(tmp_path: Path) -> None:
    assert "too long" in refusal(tmp_path / ("n" * 300)).what


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    whole = save(tmp_path / f"a.{suffix}", Image.fromarray(noise(64, 64, 3))).read_bytes()
    for kept in (len(whole) // 3, len(whole) * 9 // 10):
        (tmp_path / f"cut.{suffix}").write_bytes(whole[:kept])
        assert "damaged" in refusal(tmp_path / f"cut.{suffix}").what


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_truncated_16_bit_png(tmp_path: Path, channels: int) -> None:
    whole = png(noise(64, 64, channels, dtype=np.uint16))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) * 3 // 4])
    assert "damaged" in refusal(tmp_path / "cut.png").what


@pytest.mark.filterwarnings("error")
def test_the_size_limit_is_read_from_the_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(
        png(np.zeros((1, 1, 3), np.uint8), header=(20000, 20000, 8, 2, 0, 0, 0))
    )
    error = refusal(tmp_path / "bomb.png")
    assert "400 megapixels" in error.what
    assert "20000 x 20000" in error.what
    assert "limit is 100" in error.what
    assert "max_megapixels" in (error.hint or "")
    # Past the limit, it is the data that is wrong.
    assert "damaged" in refusal(tmp_path / "bomb.png", max_megapixels=400).what
    with pytest.raises(InputError, match="megapixels"):
        read_mask(tmp_path / "bomb.png", (4, 4))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_pillows_own_limit_does_not_interfere(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise(30, 20, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(path).size == (30, 20)
    assert Image.MAX_IMAGE_PIXELS == 10
    refusal(path, max_megapixels=1e-4)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_several_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(noise(8, 8, 3, seed=seed)) for seed in range(12)]
    path = save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    error = refusal(path)
    assert "12 frames" in error.what
    assert "one frame as PNG" in (error.hint or "")
    with pytest.raises(InputError, match="12 frames"):
        read_mask(path, (8, 8))


def test_a_gif_of_one_frame(tmp_path: Path) -> None:
    index = noise(5, 5) % 2
    image = Image.fromarray(index, "P")
    image.putpalette([250, 3, 9, 0, 99, 200])
    picture = read_picture(save(tmp_path / "a.gif", image))
    want = np.array([[250, 3, 9], [0, 99, 200]])[index]
    assert np.array_equal(picture.samples, want)


def test_mpo_is_its_first_frame(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (16, 8), (200, 30, 30)), Image.new("RGB", (4, 4), "blue")
    path = tmp_path / "phone.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("MPO", 2)
    picture = read_picture(path)
    assert picture.size == (8, 16)
    assert far(picture.samples, np.full((8, 16, 3), (200, 30, 30))) <= 3
