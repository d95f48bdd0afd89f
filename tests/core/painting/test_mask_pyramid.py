"""An object's mask: averaged over the cells of feature maps, and drawn in for deep layers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from instyle_core.painting.mask_pyramid import LEAST_LEFT, MaskPyramid, depths
from instyle_core.testing import disc


def batch(mask: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(mask)[None, None]


def averages(mask: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Of whole cells; pixels that are left over on the right and below belong to none."""
    rows, columns = (side // stride for side in mask.shape)
    return np.array(
        [
            [
                mask[y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].mean()
                for x in range(columns)
            ]
            for y in range(rows)
        ]
    )


# --- cells of equal parts -------------------------------------------------------------------------


def cells(length: int, count: int) -> list[slice]:
    """The pixels, out of `length`, that each of `count` cells of equal width touches."""
    return [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


sides = st.integers(1, 20)


@given(height=sides, width=sides, rows=sides, columns=sides, seed=st.integers(0, 99))
def test_a_level_is_the_mean_over_the_area_of_each_cell(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((height, width), np.float32)
    level = MaskPyramid(torch.from_numpy(mask)[None, None])((rows, columns))
    expected = [[mask[y, x].mean() for x in cells(width, columns)] for y in cells(height, rows)]
    assert level.shape == (1, 1, rows, columns)
    np.testing.assert_allclose(level[0, 0].numpy(), expected, atol=1e-6)


@given(rows=sides, columns=sides, pixels=st.integers(1, 5), seed=st.integers(0, 99))
def test_where_sizes_divide_no_coverage_is_lost(
    rows: int, columns: int, pixels: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((rows * pixels, columns * pixels), np.float32)
    level = MaskPyramid(torch.from_numpy(mask)[None, None])((rows, columns))
    blocks = mask.reshape(rows, pixels, columns, pixels)
    np.testing.assert_allclose(level[0, 0].numpy(), blocks.mean(axis=(1, 3)), atol=1e-6)
    assert float(level.sum()) * pixels**2 == pytest.approx(float(mask.sum()), rel=1e-4)


def test_each_level_is_computed_once() -> None:
    masks = MaskPyramid(torch.ones(1, 1, 8, 8))
    assert masks((4, 4)) is masks((4, 4))
    assert masks((4, 4)) is not masks((4, 2))
    assert masks((8, 8)) is masks()


# --- cells of a stride ----------------------------------------------------------------------------


@given(
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    stride=st.sampled_from([2, 4, 8, 16]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_a_cell_is_the_mean_of_its_own_pixels(
    height: int, width: int, stride: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((height, width), np.float32)
    level = MaskPyramid(batch(mask), [1, 2, 4, 8, 16])((height // stride, width // stride))
    # A short mask may have as many cells of a shorter stride, of which the shortest is meant.
    same = (s for s in (1, 2, 4, 8, 16) if (height // s, width // s) == level.shape[2:])
    np.testing.assert_allclose(level[0, 0].numpy(), averages(mask, next(same)), atol=1e-6)


def test_cells_are_not_stretched_over_pixels_that_are_left_over() -> None:
    mask = np.zeros((47, 33), np.float32)
    mask[32:, 32:] = 1
    masks = MaskPyramid(batch(mask), [16])
    assert not masks((2, 2)).any()
    assert MaskPyramid(batch(mask))((2, 2)).any()


# --- drawn in -------------------------------------------------------------------------------------


def blobs(height: int, width: int, seed: int) -> NDArray[np.float32]:
    """Objects of any shape, with soft borders; some reach the border of the picture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width))
    for _ in range(random.integers(1, 4)):
        top, left, radius = random.random(3) * (height, width, min(height, width) / 2)
        mask = np.maximum(mask, np.clip(radius - np.hypot(y - top, x - left) + 0.5, 0, 1))
    return mask.astype(np.float32)


seeds = st.integers(0, 999)


@given(height=st.integers(8, 60), width=st.integers(8, 60), seed=seeds)
@settings(deadline=None)
def test_depths_are_distances_from_the_outside(height: int, width: int, seed: int) -> None:
    mask = blobs(height, width, seed)
    found = depths(batch(mask))[0, 0].numpy()
    inside = mask >= 0.5
    if inside.all():
        assert np.isinf(found).all()
    else:
        np.testing.assert_allclose(found, distance_transform_edt(inside), atol=1e-4)


@given(
    height=st.integers(16, 60),
    width=st.integers(16, 60),
    seed=seeds,
    stride=st.sampled_from([1, 2, 4, 8]),
    distance=st.floats(0, 26),
)
@settings(deadline=None, max_examples=200)
def test_drawn_in_by_a_distance(
    height: int, width: int, seed: int, stride: int, distance: float
) -> None:
    """Unless too little would be left: then by as much as leaves the least."""
    mask = blobs(height, width, seed)
    inside = mask >= 0.5
    if inside.all() or not inside.any():
        return
    distances = distance_transform_edt(inside)
    least = math.ceil(LEAST_LEFT * inside.sum())
    deepest = np.sort(distances[inside])[-least]
    # Distances are roots of whole numbers: no two of them are so near each other.
    limit = min(distance, deepest) - 1e-3
    expected = averages(mask * (distances >= limit) if distance else mask, stride)
    found = MaskPyramid(batch(mask)).inside(stride, distance)
    assert found.shape == (1, 1, height // stride, width // stride)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


def test_a_large_disc_is_drawn_in_by_its_border() -> None:
    mask = disc(200, 200, radius=0.4).decision[None]
    found = MaskPyramid(mask).inside(1, 26)
    y, x = np.mgrid[:200, :200] - 99.5
    radius = np.hypot(y, x)
    assert not found[0, 0].numpy()[radius > 80 - 26 + 1].any()
    assert found[0, 0].numpy()[radius < 80 - 26 - 1].all()


@pytest.mark.parametrize("thickness", [1, 2, 3, 8])
def test_of_a_thin_object_a_part_is_left(thickness: int) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20 : 20 + thickness, 4:60] = 1
    found = MaskPyramid(mask).inside(1, 140)
    assert 0.15 * float(mask.sum()) <= float(found.sum())
    assert float((found * (1 - mask)).sum()) == 0


def test_what_fills_the_picture_stays_whole() -> None:
    masks = MaskPyramid(torch.ones(1, 1, 40, 33), [16])
    assert torch.equal(masks.inside(16, 140), torch.ones(1, 1, 2, 2))
    assert torch.equal(masks.inside(1, 500), torch.ones(1, 1, 40, 33))


def test_the_border_of_the_picture_is_no_outside() -> None:
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., :30] = 1
    columns = MaskPyramid(mask).inside(1, 13)[0, 0]
    assert torch.equal(columns, columns[:1].expand(40, 40))
    assert columns[0].nonzero().flatten().tolist() == list(range(18))  # 13 and more from column 30


def test_a_mask_without_an_object_stays_as_it_is() -> None:
    faint = torch.full((1, 1, 8, 8), 0.25)
    assert torch.equal(MaskPyramid(faint).inside(1, 40), faint)


def test_each_is_drawn_in_once() -> None:
    masks = MaskPyramid(disc(40, 40).decision[None])
    assert masks.inside(2, 3) is masks.inside(2, 3)
    assert not torch.equal(masks.inside(2, 3), masks.inside(2, 5))
