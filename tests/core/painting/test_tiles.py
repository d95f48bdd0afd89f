"""Tiles: together they are the picture, each cell once, and each sees what its cells depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instyle_core.painting.tiles import stride_of, tiles_of

sides = st.integers(1, 300)
tile_sides = st.integers(15, 300)  # smaller ones would only be many
reaches = st.integers(0, 90)
# Any, not only powers of two.
all_strides = st.lists(st.sampled_from([1, 2, 3, 4, 8, 16]), min_size=1, max_size=4)


def cells_of(image: np.ndarray, stride: int) -> np.ndarray:
    """A map of H // stride x W // stride cells, each with the value of its first pixel."""
    height, width = (side // stride * stride for side in image.shape)
    return image[:height:stride, :width:stride]


def numbered(height: int, width: int) -> np.ndarray:
    return np.arange(height * width).reshape(height, width)


@settings(deadline=None, derandomize=True)
@given(height=sides, width=sides, side=tile_sides, reach=reaches, strides=all_strides)
def test_each_cell_is_in_one_tile(
    height: int, width: int, side: int, reach: int, strides: list[int]
) -> None:
    tiles = tiles_of((height, width), side, reach, strides)
    for stride in {1, *strides}:
        times = np.zeros((height // stride, width // stride), int)
        for tile in tiles:
            part = times[tile.part(stride)]
            assert part.shape == tile.size(stride)
            part += 1
        assert (times == 1).all()


@settings(deadline=None, derandomize=True)
@given(height=sides, width=sides, side=tile_sides, reach=reaches, strides=all_strides)
def test_a_tile_sees_itself_and_what_is_within_reach(
    height: int, width: int, side: int, reach: int, strides: list[int]
) -> None:
    step = math.lcm(*strides)
    for tile in tiles_of((height, width), side, reach, strides):
        for span, length in ((tile.rows, height), (tile.columns, width)):
            (first, last), (start, end) = span.own, span.seen
            assert 0 <= start <= max(0, first - reach)
            assert min(length, last + reach) <= end <= length
            assert first - start < reach + step  # and no more than has to be
            assert end - last < reach + step
            assert 0 < last - first < max(side, 2 * step) + step


@settings(deadline=None, derandomize=True)
@given(height=sides, width=sides, side=tile_sides, reach=reaches, strides=all_strides)
def test_its_own_cells_are_where_it_says_in_what_it_sees(
    height: int, width: int, side: int, reach: int, strides: list[int]
) -> None:
    pixels = numbered(height, width)
    for tile in tiles_of((height, width), side, reach, strides):
        for stride in {1, *strides}:
            inner = cells_of(pixels[tile.seen], stride)[tile.inner(stride)]
            np.testing.assert_array_equal(inner, cells_of(pixels, stride)[tile.part(stride)])


def test_tiles_are_about_the_same_size() -> None:
    tiles = tiles_of((1000, 2000), 512, 90, [1, 16])
    assert len(tiles) == 2 * 4
    assert {tile.size(16) for tile in tiles} == {(31, 31), (31, 32)}
    assert {tile.size(1)[0] for tile in tiles} == {31 * 16, 1000 - 31 * 16}


@pytest.mark.parametrize("size", [(512, 512), (100, 512), (16, 16), (5, 7)])
def test_a_small_picture_is_one_tile_and_seen_as_a_whole(size: tuple[int, int]) -> None:
    (tile,) = tiles_of(size, 512, 90, [1, 16])
    assert (tile.rows.seen, tile.columns.seen) == ((0, size[0]), (0, size[1]))
    assert tile.size(1) == size


@given(height=st.integers(16, 300), width=st.integers(16, 300), wanted=st.integers(0, 4))
def test_the_stride_of_a_map(height: int, width: int, wanted: int) -> None:
    strides = [1, 2, 4, 8, 16]
    stride = strides[wanted]
    assert stride_of((height // stride, width // stride), (height, width), strides) == stride


def test_a_map_of_no_layer() -> None:
    with pytest.raises(ValueError, match="no layer has 20 x 21 cells"):
        stride_of((20, 21), (40, 40), [1, 2, 4])
