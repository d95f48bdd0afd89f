"""The crop around an object, and how its painting is put back, against numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2yiq
from torch.nn import functional as F

from instyle_core import Mask
from instyle_core.config.spec import Color
from instyle_core.objects.find import FoundObject
from instyle_core.painting.crop import Crop, continued, paints_at, put_back
from instyle_core.testing import disc, picture
from tests.core.helpers.plans import object_plan
from tests.core.helpers.studio import Studio, read, rectangle, save

# --- the crop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_start", [True, False])
def test_a_crop_has_the_pixels_of_the_object_s_box(with_start: bool) -> None:
    canvas, start = picture(40, 50, seed=1), picture(40, 50, seed=2)
    mask, paints = disc(40, 50, radius=0.2), disc(40, 50, radius=0.25).decision
    soft = Mask(mask.decision * 0.75, mask.decision)
    color = Color(of="content", by="histogram")
    found = FoundObject(0, object_plan(color=color), soft, paints, (10, 5, 42, 37))
    styles = [picture(9, 8)]
    crop = Crop.of(found, canvas, styles, start if with_start else None)
    rows, columns = slice(5, 37), slice(10, 42)
    np.testing.assert_array_equal(crop.content, canvas.numpy()[:, rows, columns])
    np.testing.assert_array_equal(crop.mask, mask.decision.numpy()[:, rows, columns])
    np.testing.assert_array_equal(crop.paints, paints.numpy()[:, rows, columns])
    if with_start:
        np.testing.assert_array_equal(crop.start, start.numpy()[:, rows, columns])
    else:
        assert crop.start is None
    assert crop.styles is styles
    assert crop.color is color


def test_the_palette_is_that_of_the_object_alone() -> None:
    """A style that takes on the object's colors gets their mean, whatever is around the object."""
    mask = disc(32, 32).decision
    object_, around = torch.tensor([0.7, 0.2, 0.4]), torch.tensor([0.0, 1.0, 0.0])
    content = torch.where(mask > 0, object_[:, None, None], around[:, None, None])
    crop = Crop(content, mask, mask, [], color=Color(of="content", by="histogram"))
    style = crop.palette().style(picture(20, 20))
    torch.testing.assert_close(style.mean(dim=(1, 2)), object_, atol=1e-4, rtol=0)


# --- the pixels to repaint ------------------------------------------------------------------------


@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    rows=st.integers(1, 24),
    columns=st.integers(1, 24),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_pixel_of_another_size_is_painted_if_it_overlaps_one_that_is(
    height: int, width: int, rows: int, columns: int, density: float, seed: int
) -> None:
    paints = np.random.default_rng(seed).random((height, width)) < density

    def overlaps(length: int, count: int) -> np.ndarray:
        """Whether each of `count` equal parts of a length overlaps each of its pixels, exactly."""
        part, pixel = np.arange(count)[:, None], np.arange(length)[None]
        return (part * length < (pixel + 1) * count) & (pixel * count < (part + 1) * length)

    expected = overlaps(height, rows) @ paints @ overlaps(width, columns).T
    found = paints_at(torch.from_numpy(paints)[None].float(), (rows, columns))
    assert found.shape == (1, rows, columns)
    np.testing.assert_array_equal(found[0].numpy(), expected.astype(np.float32))


# --- the way back ---------------------------------------------------------------------------------


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    factor=st.floats(0.2, 3),
    seed=st.integers(0, 99),
)
def test_what_is_not_painted_stays_bit_for_bit(
    height: int, width: int, factor: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    content = torch.rand(3, height, width, generator=generator)
    paints = (torch.rand(1, height, width, generator=generator) < 0.5).float()
    worked = (max(1, round(height * factor)), max(1, round(width * factor)))
    result = put_back(Crop(content, paints, paints, []), 2 + torch.zeros(3, *worked))
    painted = (paints > 0).expand(3, -1, -1)
    assert torch.equal(result[~painted], content[~painted])
    assert bool((result[painted] == (2 if worked == (height, width) else 1)).all())


@pytest.mark.parametrize("size", [(1, 90), (90, 1), (2, 90), (90, 2), (90, 3), (50, 90)])
def test_a_result_is_brought_back_to_where_it_was(size: tuple[int, int]) -> None:
    # From black to white along the longer side, which resampling keeps as it is.
    height, width = size
    everything = torch.ones(1, height, width)
    ramp = torch.linspace(0, 1, 90)
    content = ramp.expand(3, height, 90) if width == 90 else ramp[:, None].expand(3, 90, width)
    larger = F.interpolate(content[None], (height * 2, width * 2), mode="bilinear")[0]
    full = put_back(Crop(torch.zeros_like(content), everything, everything, []), larger)
    assert (full - content).abs().max() < 0.01


def test_a_painting_of_the_crop_s_own_size_is_not_resampled() -> None:
    content, painting, paints = picture(30, 40), picture(30, 40, seed=2), disc(30, 40).decision
    result = put_back(Crop(content, paints, paints, []), painting)
    np.testing.assert_array_equal(result, np.where(paints > 0, painting, content))


def test_an_object_that_keeps_its_colors_has_them_at_full_resolution() -> None:
    """Only the luminance is that of the painting, which has half the size; by scikit-image."""
    content = 0.4 + 0.2 * torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(1))
    paints = torch.ones(1, 40, 60)
    crop = Crop(content, paints, paints, [], color=Color(of="content", by="luminance"))
    result = put_back(crop, torch.full((3, 20, 30), 0.55))
    before, after = (rgb2yiq(np.moveaxis(p.numpy(), 0, -1)) for p in (content, result))
    np.testing.assert_allclose(after[..., 0], 0.55, atol=1e-5)
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=1e-5)


def test_fine_chrominance_survives_an_optimization_at_a_smaller_size(studio: Studio) -> None:
    """The colors are those of the photo at its own size, not of the crop that was optimized."""
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, 0::2], stripes[:, 1::2] = (170, 90, 110), (90, 125, 125)  # of nearly one luminance
    save(studio.folder / "photo.png", stripes)
    save(studio.folder / "mask.png", rectangle((50, 50, 350, 350), 400, 400))
    gray = {"use": "tint", "color": [0.45, 0.45, 0.45]}
    well = {"use": "adam", "steps": 40, "scales": 1, "learning_rate": 0.1}
    studio.run(color="content", losses=[gray], size=128, optimizer=well)
    output = read(studio.folder / "out.png").astype(float)[100:300, 100:300]
    difference = np.abs(output[:, 0::2] - output[:, 1::2])
    np.testing.assert_allclose(difference.mean(axis=(0, 1)), (80, 35, 15), atol=6)


# --- beyond the object ----------------------------------------------------------------------------


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    density=st.sampled_from([0.05, 0.3, 0.8, 1.0]),
    seed=st.integers(0, 999),
)
def test_beyond_its_edge_an_object_is_its_own_mirror_image(
    height: int, width: int, density: float, seed: int
) -> None:
    """By brute force: each pixel outside has the color of one that it may have."""
    inside = np.random.default_rng(seed).random((height, width)) < density
    inside[seed % height, seed % width] = True
    colors = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    mask = torch.from_numpy(inside)[None].float()
    result = continued(colors, mask, torch.ones_like(mask)).numpy()
    own = np.argwhere(inside)
    for y, x in np.ndindex(height, width):
        distance = np.square(own - (y, x)).sum(axis=1)
        allowed = []
        for near in own[distance == distance.min()]:
            row, column = 2 * near - (y, x)
            reaches = 0 <= row < height and 0 <= column < width and inside[row, column]
            allowed.append((row, column) if reaches else tuple(near))
        assert any(
            (result[:, y, x] == colors[:, row, column].numpy()).all() for row, column in allowed
        )


def test_no_pixel_around_the_object_is_taken_from_the_painting() -> None:
    """Whatever was painted around a gray object, a merger sees gray there."""
    mask, paints = disc(40, 40, radius=0.25).decision, disc(40, 40, radius=0.4).decision
    content = picture(40, 40)
    for size in ((40, 40), (25, 25), (80, 80)):
        wild = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
        painting = torch.where(paints_at(mask, size) > 0, 0.5, wild)
        result = put_back(Crop(content, paints, mask, []), painting)
        expected = torch.where(paints > 0, 0.5, content)
        torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)
