"""Samples of every depth, against closed forms and files written by tifffile."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.masks import read_mask
from instyle_core.images.picture import read_picture
from tests.core.helpers.pictures import UPRIGHT, noise, png
from tests.core.helpers.tiff import gray_tiff


def ramp(bits: int) -> NDArray[Any]:
    """From 0 to the highest sample of so many bits, (8, 32)."""
    return np.rint(np.linspace(0, 2**bits - 1, 256)).astype(np.int64).reshape(8, 32)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize(
    ("bits", "order"),
    [*((bits, "<") for bits in (1, 2, 4, 8, 12, 16)), *((b, ">") for b in (1, 4, 8))],
)
def test_gray_tiff(
    tmp_path: Path, bits: int, order: str, white_is_zero: bool, deflated: bool
) -> None:
    options = {"white_is_zero": white_is_zero, "order": order, "deflated": deflated}
    values = ramp(bits)
    (tmp_path / "a.tif").write_bytes(gray_tiff(values, bits, **options))
    if bits == 12 and white_is_zero:
        with pytest.raises(InputError):  # Pillow does not know it
            read_picture(tmp_path / "a.tif")
        return
    share = values / (2**bits - 1)
    share = 1 - share if white_is_zero else share
    picture = read_picture(tmp_path / "a.tif")
    depth = 16 if bits > 8 else 8
    assert picture.samples.dtype == (np.uint16 if bits > 8 else np.uint8)
    assert np.array_equal(picture.samples[..., 1], np.floor(share * (2**depth - 1) + 0.5))
    assert np.allclose(picture.pixels[0].numpy(), share, atol=0.5 / (2**depth - 1) + 1e-6)
    if bits > 1:
        mask = read_mask(tmp_path / "a.tif", (8, 32))
        assert np.allclose(mask[0].numpy(), share, atol=0.5 / (2**depth - 1) + 1e-6)


@pytest.mark.parametrize("deflated", [False, True])
def test_16_bit_gray_tiff_of_other_byte_order(tmp_path: Path, deflated: bool) -> None:
    values = ramp(16)
    (tmp_path / "a.tif").write_bytes(gray_tiff(values, 16, order=">", deflated=deflated))
    assert np.array_equal(read_picture(tmp_path / "a.tif").samples[..., 0], values)


def test_signed_samples_have_no_black(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(gray_tiff(ramp(8), 8, more={339: [2]}))
    with pytest.raises(InputError, match="signed") as caught:
        read_picture(tmp_path / "a.tif")
    assert caught.value.where == str(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("extra", [None, "unassalpha", "unspecified"])
def test_16_bit_rgb_tiff(
    tmp_path: Path, order: Any, compression: str | None, extra: str | None
) -> None:
    samples = noise(6, 5, 4 if extra else 3, dtype=np.uint16)
    write_tiff(tmp_path / "a.tif", samples, order, compression, extra)
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.samples, samples[..., :3])
    if extra == "unassalpha":
        assert picture.alpha is not None
        assert np.allclose(picture.alpha[0].numpy(), samples[..., 3] / 65535, atol=1e-6)
    else:
        assert picture.alpha is None


def write_tiff(path: Path, samples: Any, order: Any, compression: Any, extra: str | None) -> None:
    extras = [extra] if extra else None
    options = {"photometric": "rgb", "metadata": None, "extrasamples": extras}
    tifffile.imwrite(path, samples, byteorder=order, compression=compression, **options)


def test_associated_alpha_is_divided_out(tmp_path: Path) -> None:
    color, alpha = np.array([[[60000, 30000, 0]]]), np.array([[[20000]]])
    stored = np.concatenate([color * 20000 // 65535, alpha], axis=2).astype(np.uint16)
    write_tiff(tmp_path / "a.tif", stored.repeat(3, axis=1), "<", None, "assocalpha")
    picture = read_picture(tmp_path / "a.tif")
    assert np.abs(picture.samples[0, 0].astype(int) - color[0, 0]).max() <= 4
    assert picture.alpha is not None
    assert float(picture.alpha[0, 0, 0]) == pytest.approx(20000 / 65535)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_tiffs_are_turned_up(tmp_path: Path, orientation: int) -> None:
    samples = noise(6, 5, 3, dtype=np.uint16)
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", metadata=None, extratags=tags)
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.samples, UPRIGHT[orientation](samples))


def test_16_bit_planes_are_refused_rather_than_garbled(tmp_path: Path) -> None:
    samples = noise(3, 6, 5, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", planarconfig="separate")
    with pytest.raises(InputError, match="planes"):
        read_picture(tmp_path / "a.tif")


def test_8_bit_planes(tmp_path: Path) -> None:
    samples = noise(3, 6, 5)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_picture(tmp_path / "a.tif").samples, np.moveaxis(samples, 0, 2))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_bits(tmp_path: Path, bits: int) -> None:
    palette = noise(2**bits, 3)
    index = (noise(5, 8) % 2**bits).astype(np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "a.png", bits=bits)
    assert (tmp_path / "a.png").read_bytes()[24] == bits
    assert np.array_equal(read_picture(tmp_path / "a.png").samples, palette[index])


def test_a_color_key_of_16_bit_gray_png(tmp_path: Path) -> None:
    samples = noise(4, 5, 1, dtype=np.uint16)
    key = struct.pack(">H", int(samples[1, 2, 0]))
    (tmp_path / "a.png").write_bytes(png(samples, extra=[(b"tRNS", key)]))
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.samples[..., :1], samples)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha[0].numpy(), samples[..., 0] != samples[1, 2, 0])


@pytest.mark.parametrize("top", [100, 255, 1000, 65535])
@pytest.mark.parametrize(("kind", "channels"), [("2", 1), ("3", 3), ("5", 1), ("6", 3)])
def test_pgm_and_ppm_of_any_white(tmp_path: Path, kind: str, channels: int, top: int) -> None:
    values = np.random.default_rng(0).integers(0, top + 1, (4, 5, channels))
    head = f"P{kind}\n# any words\n5 4\n{top}\n".encode()
    if kind in "23":
        data = " ".join(map(str, values.ravel())).encode()
    else:
        data = values.astype(">u2" if top > 255 else "u1").tobytes()
    (tmp_path / "a.ppm").write_bytes(head + data)
    picture = read_picture(tmp_path / "a.ppm")
    full = 65535 if top > 255 else 255
    assert picture.samples.dtype == (np.uint16 if top > 255 else np.uint8)
    assert np.abs(picture.samples[..., :channels] - values / top * full).max() < 0.5 + 1e-6


@pytest.mark.parametrize(("bits", "whole"), [(1, 8), (4, 8), (8, 8), (10, 16), (12, 16), (16, 16)])
def test_gray_jpeg_2000(tmp_path: Path, bits: int, whole: int) -> None:
    values = ramp(bits)
    # Samples are kept as differences from middle gray, so that those of more bits can be relabeled.
    raised = values + 2 ** (whole - 1) - 2 ** (bits - 1)
    file = io.BytesIO()
    Image.fromarray(raised.astype(f"u{whole // 8}")).save(file, "JPEG2000")
    data = bytearray(file.getvalue())
    data[data.index(b"\xff\x4f\xff\x51") + 42] = data[data.index(b"ihdr") + 14] = bits - 1
    (tmp_path / "a.jp2").write_bytes(data)
    want = np.floor(values / (2**bits - 1) * (2**whole - 1) + 0.5)
    assert np.array_equal(read_picture(tmp_path / "a.jp2").samples[..., 0], want)
