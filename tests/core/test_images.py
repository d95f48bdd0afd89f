"""Reading and writing pictures, against files built and decoded by other means."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from instyle_core import images
from instyle_core.errors import InputError, InstyleError
from instyle_core.images import (
    check_output,
    read_mask,
    read_picture,
    resize,
    write_mask,
    write_picture,
)

Array = NDArray[Any]
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# Files from scratch


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> Array:
    top = int(np.iinfo(dtype).max) + 1
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def png(samples: Array, *, extra: Sequence[tuple[bytes, bytes]] = (), header: Any = None) -> bytes:
    """A PNG of (H, W, 1 to 4) uint8 or uint16, byte by byte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, channels = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = samples.dtype.itemsize * 8
    header = header or (width, height, depth, colour, 0, 0, 0)
    rows = samples.astype(samples.dtype.newbyteorder(">"))
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", *header)),
            *(chunk(*pair) for pair in extra),
            chunk(b"IDAT", zlib.compress(data)),
            chunk(b"IEND", b""),
        ]
    )


def exif(orientation: int, **more: str) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = more.get("make", "Kodak")
    return tags.tobytes()


# sRGB, P3 and Lab in closed form

SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
D65, D50 = (0.3127, 0.3290), (0.34567, 0.35850)


def white_xyz(xy: tuple[float, float]) -> Array:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def to_xyz(primaries: Sequence[tuple[float, float]]) -> Array:
    columns = np.array([white_xyz(xy) for xy in primaries]).T
    return columns * np.linalg.solve(columns, white_xyz(D65))


BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
TO_D50 = (
    np.linalg.inv(BRADFORD)
    @ np.diag((BRADFORD @ white_xyz(D50)) / (BRADFORD @ white_xyz(D65)))
    @ BRADFORD
)


def decode(value: Array) -> Array:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encode(linear: Array) -> Array:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def p3_to_srgb(p3: Array) -> Array:
    return encode(decode(p3) @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(P3)).T)


def srgb_to_p3(srgb: Array) -> Array:
    return encode(decode(srgb) @ (np.linalg.inv(to_xyz(P3)) @ to_xyz(SRGB)).T)


def lab_to_srgb(lab: Sequence[float]) -> Array:
    f = (lab[0] + 16) / 116 + np.array([lab[1] / 500, 0, -lab[2] / 200])
    relative = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return encode(np.linalg.inv(TO_D50 @ to_xyz(SRGB)) @ (relative * white_xyz(D50)))


# ICC profiles from scratch


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*white_xyz(D50)), **tags}
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4x", offset + len(body)) + b"\x04\x20\0\0" + kind + space + pcs
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + fixed(*white_xyz(D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(primaries: Sequence[tuple[float, float]]) -> bytes:
    curve = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    columns = (TO_D50 @ to_xyz(primaries)).T
    tags = {name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in zip(NAMES, columns, strict=True)}
    return icc(b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


NAMES = (b"rXYZ", b"gXYZ", b"bXYZ")
P3_PROFILE = matrix_profile(P3)
OWN_SRGB_PROFILE = matrix_profile(SRGB)
PILLOW_SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = 461 / 256  # about 1.8, as old Macs had it
_gamma_curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 461)
GREY_PROFILE = icc(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma_curve})


def table_profile(kind: bytes, space: bytes, corners: Array) -> bytes:
    """A profile that leads from a device to Lab only, by the Lab of the 2^n corners."""
    inputs = int(np.log2(len(corners)))
    ramp = bytes(range(256))
    levels = np.rint(corners * [2.55, 1, 1] + [0, 128, 128]).astype(np.uint8).tobytes()
    head = b"mft1\0\0\0\0" + bytes([inputs, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return icc(kind, space, b"Lab ", {b"A2B0": head + ramp * inputs + levels + ramp * 3})


# Inks that look nothing like cyan and magenta, so that only the profile can explain them.
CYAN_LAB, MAGENTA_LAB = (55.0, 40.0, 30.0), (60.0, -35.0, 20.0)
_cmyk = np.zeros((16, 3))  # the last channel, black, runs fastest
_cmyk[0], _cmyk[0b1000], _cmyk[0b0100], _cmyk[0b0010] = (
    (100, 0, 0),
    CYAN_LAB,
    MAGENTA_LAB,
    (80, 0, 0),
)
CMYK_PROFILE = table_profile(b"prtr", b"CMYK", _cmyk)
_rgb = np.array(
    [[12.5 * (r + 2 * g + 5 * b), 0, 0] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
)
SCANNER_PROFILE = table_profile(b"scnr", b"RGB ", _rgb)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def as_rgb8(pixels: torch.Tensor) -> Array:
    return np.floor(pixels.numpy().astype(np.float64).transpose(1, 2, 0) * 255 + 0.5).astype(int)


def far(a: Array, b: Array) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


# Reading


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


def test_grey_becomes_rgb(tmp_path: Path) -> None:
    grey = noise(4, 6)
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(grey)))
    assert np.array_equal(picture.samples, np.stack([grey] * 3, axis=2))
    write_picture(tmp_path / "b.png", picture.pixels, like=picture)
    with Image.open(tmp_path / "b.png") as written:
        assert written.mode == "RGB"


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    bits = noise(4, 9) > 127
    picture = read_picture(save(tmp_path / "a.png", Image.fromarray(bits)))
    assert np.array_equal(picture.samples[..., 1], np.where(bits, 255, 0))


def test_grey_with_alpha(tmp_path: Path) -> None:
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


def test_colour_key_becomes_alpha(tmp_path: Path) -> None:
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
    colour = samples[..., : 3 if channels > 2 else 1]
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.samples, np.broadcast_to(colour, (5, 4, 3)))
    assert np.allclose(picture.pixels.numpy().transpose(1, 2, 0), colour / 65535, atol=1e-7)
    if channels in (2, 4):
        assert picture.alpha is not None
        assert np.allclose(picture.alpha[0].numpy(), samples[..., -1] / 65535, atol=1e-7)
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bit_grey_tiff(tmp_path: Path, order: str) -> None:
    grey = noise(4, 5, dtype=np.uint16)
    mode = "I;16" if order == "<u2" else "I;16B"
    image = Image.frombytes(mode, (5, 4), grey.astype(order).tobytes())
    picture = read_picture(save(tmp_path / "a.tif", image))
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.samples[..., 0], grey)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bit_samples_are_refused(tmp_path: Path, dtype: type) -> None:
    save(tmp_path / "a.tif", Image.fromarray(np.full((3, 3), 0.5).astype(dtype)))
    with pytest.raises(InputError, match="32-bit") as caught:
        read_picture(tmp_path / "a.tif")
    assert caught.value.where == str(tmp_path / "a.tif")
    assert caught.value.hint


# Orientation

UPRIGHT: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "png16", "webp", "tif", "tif-deflate"])
def test_orientation_is_applied_and_forgotten(tmp_path: Path, kind: str, orientation: int) -> None:
    dtype = np.uint16 if kind == "png16" else np.uint8
    stored = noise(4, 6, 4, dtype=dtype)
    stored[..., 3] |= 1  # WebP may change the colour of what is wholly transparent
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
    assert "max_megapixels in the spec" in (error.hint or "")
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


# Colour


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
    ids=["junk", "truncated", "for CMYK", "for grey"],
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
def test_grey_profile(tmp_path: Path, deep: bool) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    chunk = b"grey\0\0" + zlib.compress(GREY_PROFILE)
    samples = levels.astype(np.uint16) * 257 if deep else levels
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"iCCP", chunk)]))
    picture = read_picture(tmp_path / "a.png")
    want = np.rint(255 * encode((levels / 255) ** GAMMA)).repeat(3, axis=2)
    assert far(want, np.broadcast_to(levels, want.shape)) > 10
    assert far(picture.samples, want) <= 1
    assert np.array_equal(as_rgb8(picture.pixels), picture.samples)
    assert picture.samples.dtype == np.uint8
    assert picture.icc is None


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


# Writing


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
    colour = samples if shape[2] > 2 else samples[..., [0, 0, 0, 1][: shape[2] + 2]]
    assert np.array_equal(got, colour)


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
@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp", "tif", "tiff"])
def test_16_bits_become_8_elsewhere(tmp_path: Path, suffix: str, profile: bytes | None) -> None:
    smooth = np.linspace(0, 65535, 32 * 32).reshape(32, 32, 1).repeat(3, axis=2).astype(np.uint16)
    extra = [(b"iCCP", b"p\0\0" + zlib.compress(profile))] if profile else []
    (tmp_path / "a.png").write_bytes(png(smooth, extra=extra))
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / f"b.{suffix}", picture.pixels, like=picture)
    with Image.open(tmp_path / f"b.{suffix}") as written:
        got = np.asarray(written)
        assert written.mode == "RGB"
        assert written.info.get("icc_profile") == profile
    want = np.floor(smooth / 257 + 0.5)
    assert far(got, want) <= (0 if suffix.startswith("tif") else 8)


def test_jpeg_keeps_colour_at_full_resolution(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".tif", ".tiff"])
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


@pytest.mark.parametrize(("suffix", "longest"), [("webp", 16383), ("jpg", 65500)])
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


# Masks

SHAPE = (6, 8)
BITS = noise(*SHAPE) > 127


def palette_mask() -> Image.Image:
    image = Image.fromarray(BITS.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


BINARY = {
    "grey": Image.fromarray(np.where(BITS, 255, 0).astype(np.uint8)),
    "labels 0 and 1": Image.fromarray(BITS.astype(np.uint8)),
    "1 bit": Image.fromarray(BITS),
    "palette": palette_mask(),
    "rgb": Image.fromarray(np.where(BITS[..., None], 255, 0).astype(np.uint8).repeat(3, 2)),
    "16-bit grey": Image.fromarray(np.where(BITS, 65535, 0).astype(np.uint16)),
    "white with alpha": Image.merge(
        "LA",
        (
            Image.new("L", SHAPE[::-1], 255),
            Image.fromarray(np.where(BITS, 255, 0).astype(np.uint8)),
        ),
    ),
    "black with alpha": Image.merge(
        "RGBA",
        (
            *[Image.new("L", SHAPE[::-1], 0)] * 3,
            Image.fromarray(np.where(BITS, 255, 0).astype(np.uint8)),
        ),
    ),
    "white on black, opaque": Image.fromarray(np.where(BITS, 255, 0).astype(np.uint8)).convert(
        "LA"
    ),
}


@pytest.mark.parametrize("kind", BINARY)
def test_binary_masks_of_every_mode(tmp_path: Path, kind: str) -> None:
    mask = read_mask(save(tmp_path / "m.png", BINARY[kind]), SHAPE)
    assert mask.dtype == torch.float32
    assert mask.shape == (1, *SHAPE)
    assert np.array_equal(mask[0].numpy(), BITS.astype(np.float32))
    doubled = read_mask(tmp_path / "m.png", (12, 16))
    assert set(doubled.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_soft_masks_keep_their_values(tmp_path: Path, dtype: type) -> None:
    values = noise(5, 7, dtype=dtype)
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(values)), (5, 7))
    assert np.array_equal(mask[0].numpy(), values / np.float32(np.iinfo(dtype).max))


def test_colour_that_varies_wins_over_alpha(tmp_path: Path) -> None:
    samples = noise(4, 4, 2)
    (tmp_path / "m.png").write_bytes(png(samples))
    mask = read_mask(tmp_path / "m.png", (4, 4))
    assert np.array_equal(mask[0].numpy(), samples[..., 0] / np.float32(255))


def test_a_coloured_mask_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    samples = noise(4, 4, 3)
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(samples)), (4, 4))
    assert np.allclose(mask[0].numpy(), samples.mean(axis=2) / 255, atol=1e-6)


@pytest.mark.parametrize("value", [0, 200, 255])
def test_a_mask_of_one_value_is_allowed(tmp_path: Path, value: int) -> None:
    mask = read_mask(save(tmp_path / "m.png", Image.new("L", (5, 3), value)), (6, 10))
    assert torch.allclose(mask, torch.full((1, 6, 10), value / 255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_mask(tmp_path: Path, orientation: int) -> None:
    values = noise(4, 6)
    save(tmp_path / "m.png", Image.fromarray(values), exif=exif(orientation))
    want = UPRIGHT[orientation](values)
    mask = read_mask(tmp_path / "m.png", (want.shape[0], want.shape[1]))
    assert np.array_equal(mask[0].numpy(), want / np.float32(255))


@pytest.mark.parametrize("size", [(3, 4), (20, 9), (1, 1)])
def test_soft_masks_are_resized_as_pillow_does(tmp_path: Path, size: tuple[int, int]) -> None:
    values = noise(10, 12)
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(values)), size)
    floats = Image.fromarray(values.astype(np.float32) / 255)
    want = np.asarray(floats.resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.allclose(mask[0].numpy(), want, atol=1e-5)


def test_an_enlarged_binary_mask_keeps_its_place(tmp_path: Path) -> None:
    values = np.zeros((4, 4), np.uint8)
    values[1:3, 2:] = 255
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(values)), (16, 16))
    inside = mask[0, 5:11, 9:]
    outside = mask[0, :, :7]
    assert inside.eq(1).all()
    assert outside.eq(0).all()
    assert 0.85 < mask.sum().item() / (values > 0).sum() / 16 < 1.15


@FEW
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    levels=st.sampled_from([(0, 255), (0, 1), (30, 31), tuple(range(256))]),
    seed=st.integers(0, 2**32 - 1),
)
def test_mask_values_after_any_resize(
    tmp_path: Path,
    shape: tuple[int, int],
    size: tuple[int, int],
    levels: tuple[int, ...],
    seed: int,
) -> None:
    values = np.array(levels, np.uint8)[np.random.default_rng(seed).integers(0, len(levels), shape)]
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(values)), size)
    assert mask.shape == (1, *size)
    assert 0 <= mask.min() <= mask.max() <= 1
    if len(np.unique(values)) == 2:
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
        if size == shape:
            assert np.array_equal(mask[0].numpy() == 1, values == values.max())


def test_a_mask_that_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_mask(tmp_path / "m.png", (4, 4))


def test_a_written_mask_is_8_bit_grey(tmp_path: Path) -> None:
    values = noise(5, 6)
    write_mask(tmp_path / "m.png", torch.from_numpy(values / np.float32(255))[None])
    with Image.open(tmp_path / "m.png") as written:
        assert (written.format, written.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(written), values)
    assert os.listdir(tmp_path) == ["m.png"]


# Resizing


def test_the_same_size_is_the_same_tensor() -> None:
    image = torch.rand(3, 4, 5)
    assert resize(image, (4, 5)) is image


@pytest.mark.parametrize("size", [(5, 6), (31, 17), (1, 1)])
def test_resize_is_antialiased_bicubic(size: tuple[int, int]) -> None:
    image = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    got = resize(image, size)
    assert got.shape == (3, *size)
    for plane, source in zip(got, image, strict=True):
        floats = Image.fromarray(source.numpy())
        want = np.asarray(floats.resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
        assert np.allclose(plane.numpy(), want, atol=1e-5)


def test_resize_stays_in_range_at_hard_edges() -> None:
    edge = torch.zeros(1, 8, 8)
    edge[:, :, 4:] = 1
    got = resize(edge, (32, 32))
    assert got.min() >= 0
    assert got.max() <= 1


def test_the_default_limit() -> None:
    assert images.MAX_MEGAPIXELS == 100
