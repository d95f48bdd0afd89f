"""Reading and writing masks."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.masks import read_mask, write_mask, write_object_mask
from instyle_core.images.shape import fits
from instyle_core.interfaces.pictures import Mask
from tests.core.helpers.pictures import (
    FEW,
    UPRIGHT,
    exif,
    noise,
    png,
    save,
)

SHAPE = (6, 8)
BITS = noise(*SHAPE) > 127


def palette_mask() -> Image.Image:
    image = Image.fromarray(BITS.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


BINARY = {
    "gray": Image.fromarray(np.where(BITS, 255, 0).astype(np.uint8)),
    "labels 0 and 1": Image.fromarray(BITS.astype(np.uint8)),
    "1 bit": Image.fromarray(BITS),
    "palette": palette_mask(),
    "rgb": Image.fromarray(np.where(BITS[..., None], 255, 0).astype(np.uint8).repeat(3, 2)),
    "16-bit gray": Image.fromarray(np.where(BITS, 65535, 0).astype(np.uint16)),
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


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_that_varies_is_the_mask(tmp_path: Path, channels: int) -> None:
    """As in the cut-outs of rembg and ComfyUI, whose colors are the photo's."""
    samples = noise(4, 4, channels)
    (tmp_path / "m.png").write_bytes(png(samples))
    notes: list[str] = []
    mask = read_mask(tmp_path / "m.png", (4, 4), on_note=notes.append)
    assert np.array_equal(mask[0].numpy(), samples[..., -1] / np.float32(255))
    assert len(notes) == 1
    assert "transparency" in notes[0]
    assert "m.png" in notes[0]


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_that_is_the_same_all_over_is_not_the_mask(tmp_path: Path, alpha: int) -> None:
    samples = noise(4, 4, 2)
    samples[..., 1] = alpha
    (tmp_path / "m.png").write_bytes(png(samples))
    mask = read_mask(tmp_path / "m.png", (4, 4), on_note=pytest.fail)
    assert np.array_equal(mask[0].numpy(), samples[..., 0] / np.float32(255))


def test_a_colored_mask_is_the_mean_of_its_channels(tmp_path: Path) -> None:
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
    assume(not fits(shape[::-1], size) or fits(shape, size))  # else it is refused
    values = np.array(levels, np.uint8)[np.random.default_rng(seed).integers(0, len(levels), shape)]
    mask = read_mask(save(tmp_path / "m.png", Image.fromarray(values)), size)
    assert mask.shape == (1, *size)
    assert 0 <= mask.min() <= mask.max() <= 1
    if len(np.unique(values)) == 2:
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
        if size == shape:
            assert np.array_equal(mask[0].numpy() == 1, values == values.max())


def test_a_mask_of_other_proportions_is_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    path = save(tmp_path / "m.png", Image.fromarray(noise(30, 40)))
    mask = read_mask(path, (60, 60), on_note=notes.append)
    assert mask.shape == (1, 60, 60)
    assert len(notes) == 1
    assert "40 x 30" in notes[0]
    assert "60 x 60" in notes[0]


def test_a_mask_on_its_side_is_refused(tmp_path: Path) -> None:
    """Such as one that was made from the pixels of a phone's file, before they are turned up."""
    path = save(tmp_path / "m.png", Image.fromarray(noise(30, 40)))
    with pytest.raises(InputError, match="on its side") as caught:
        read_mask(path, (400, 300))
    assert caught.value.where == str(path)
    assert "EXIF orientation" in (caught.value.hint or "")


def test_a_mask_that_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_mask(tmp_path / "m.png", (4, 4))


def test_a_written_mask_is_8_bit_gray(tmp_path: Path) -> None:
    values = noise(5, 6)
    write_mask(tmp_path / "m.png", torch.from_numpy(values / np.float32(255))[None])
    with Image.open(tmp_path / "m.png") as written:
        assert (written.format, written.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(written), values)
    assert os.listdir(tmp_path) == ["m.png"]


# --- the mask of an object ------------------------------------------------------------------------


@given(data=st.data(), height=st.integers(1, 5), width=st.integers(3, 6))
@settings(deadline=None, max_examples=150)
def test_the_mask_of_an_object_comes_back(data: st.DataObject, height: int, width: int) -> None:
    """The same decision, also of masks with two values, which would be read as 0 and 1."""
    few = data.draw(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=4))
    cells = data.draw(
        st.lists(st.sampled_from(few), min_size=height * width, max_size=height * width)
    )
    probability = torch.tensor(cells).float().reshape(1, height, width)
    decision = (probability >= 0.5).float()
    with TemporaryDirectory() as folder:
        path = Path(folder, "m.png")
        write_object_mask(path, Mask(probability, decision))
        again = read_mask(path, (height, width))
    assert torch.equal((again >= 0.5).float(), decision)
    away = (again - probability).abs()
    assert float(away.max()) <= 2.5 / 255
    assert int((away > 1.01 / 255).sum()) <= 1  # the third value


def test_a_refiner_may_decide_against_the_probability(tmp_path: Path) -> None:
    probability = torch.tensor([[[0.1, 0.4, 0.6, 0.9]]])
    decision = torch.tensor([[[0.0, 1.0, 0.0, 1.0]]])
    write_object_mask(tmp_path / "m.png", Mask(probability, decision))
    again = read_mask(tmp_path / "m.png", (1, 4))
    assert torch.equal((again >= 0.5).float(), decision)
