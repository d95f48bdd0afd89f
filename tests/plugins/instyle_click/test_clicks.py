"""Clicks: where the next one is, against brute force; and how they are drawn and scaled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from instyle_click.clicks import RADIUS, Clicks, bounds, drawn, middle, next_click

EIGHT = np.ones((3, 3))

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)
binary = shapes.flatmap(lambda shape: hnp.arrays(bool, shape))
not_empty = binary.filter(lambda region: bool(region.any()))


def depth(region: NDArray[Any]) -> NDArray[Any]:
    """The distance of each pixel to the nearest one that is not the region's, or beyond."""
    outside = [(y, x) for y, x in zip(*np.nonzero(~np.pad(region, 1)), strict=True)]
    y, x = (plane[..., None] + 1 for plane in np.indices(region.shape))
    rows, columns = np.array(outside).T
    return np.hypot(y - rows, x - columns).min(axis=-1) * region


# --- the next click -------------------------------------------------------------------------------


@given(not_empty)
def test_middle(region: NDArray[Any]) -> None:
    """No pixel is farther from the edge and from the picture's border."""
    x, y = middle(region)
    assert region[y, x]
    assert depth(region)[y, x] == pytest.approx(depth(region).max(), abs=1e-5)
    scipys = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    assert scipys[y, x] == pytest.approx(scipys.max(), abs=1e-5)


@given(not_empty)
def test_bounds(region: NDArray[Any]) -> None:
    rows, columns = np.nonzero(region)
    assert bounds(region) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(hnp.arrays(np.uint8, shapes, elements=st.integers(0, 7)))
def test_next_click(bits: NDArray[Any]) -> None:
    """In the middle of the largest connected error, of any kind."""
    truth, found, counts = (bits & bit > 0 for bit in (1, 2, 4))
    errors = []  # area, whether it was missed, region
    for missed, wrong in ((True, truth & ~found & counts), (False, found & ~truth & counts)):
        regions, count = ndimage.label(wrong, EIGHT)
        for number in range(1, count + 1):
            errors.append(((regions == number).sum(), missed, regions == number))
    answer = next_click(truth, found, counts)
    if not errors:
        assert answer is None
        return
    assert answer is not None
    (x, y), on = answer
    ((area, missed, region),) = [error for error in errors if error[2][y, x]]
    assert on == missed
    assert area == max(error[0] for error in errors)
    assert depth(region)[y, x] == pytest.approx(depth(region).max(), abs=1e-5)


def test_errors_are_regions_with_eight_neighbors() -> None:
    """A long diagonal is one error of 7 pixels, and larger than a square of 4."""
    truth = np.zeros((20, 20), bool)
    truth[10:12, 10:12] = True
    found = np.zeros_like(truth)
    found[range(7), range(7)] = True
    answer = next_click(truth, found, np.ones_like(truth))
    assert answer is not None
    (x, y), on = answer
    assert not on
    assert x == y < 7


def test_of_two_errors_of_one_size_the_missed_one_is_clicked() -> None:
    truth, found = np.zeros((2, 9, 9), bool)
    found[0:3, 0:3] = truth[5:8, 5:8] = True
    assert next_click(truth, found, np.ones_like(truth)) == ((6, 6), True)
    assert next_click(found, truth, np.ones_like(truth)) == ((1, 1), True)


# --- maps -----------------------------------------------------------------------------------------

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
points = st.lists(st.tuples(st.integers(-9, 50), st.integers(-9, 50)), max_size=4).map(tuple)


@given(sizes, points, points)
def test_points_are_drawn_as_discs(
    size: tuple[int, int], on: tuple[Any, ...], off: tuple[Any, ...]
) -> None:
    maps = drawn(Clicks(on, off), size)
    assert (maps.dtype, maps.shape) == (np.float32, (3, *size))
    y, x = np.indices(size)
    for plane, given_points in zip(maps, (on, off, ()), strict=True):
        away = np.min([np.hypot(x - px, y - py) for px, py in given_points] or [x + y + 99], axis=0)
        assert np.array_equal(plane, away <= RADIUS)


@given(sizes, st.tuples(*[st.integers(-5, 45)] * 4))
def test_the_box_is_filled(size: tuple[int, int], corners: tuple[int, int, int, int]) -> None:
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    maps = drawn(Clicks(box=(x0, y0, x1, y1)), size)
    y, x = np.indices(size)
    assert not maps[:2].any()
    assert np.array_equal(maps[2], (x >= x0) & (x < x1) & (y >= y0) & (y < y1))


# --- clicks ---------------------------------------------------------------------------------------


def test_one_more_point() -> None:
    clicks = Clicks(on=((1, 2),), box=(0, 0, 9, 9))
    assert clicks.and_then((3, 4), on=True) == Clicks(((1, 2), (3, 4)), (), (0, 0, 9, 9))
    assert clicks.and_then((3, 4), on=False) == Clicks(((1, 2),), ((3, 4),), (0, 0, 9, 9))
    assert clicks == Clicks(on=((1, 2),), box=(0, 0, 9, 9))


coordinates = st.integers(-20, 60)
factors = st.sampled_from([0.1, 0.25, 0.5, 0.768, 1.0, 1.5, 3.0])


@given(coordinates, coordinates, coordinates, coordinates, factors, factors)
def test_points_go_where_their_pixels_middle_goes(
    x: int, y: int, x0: int, y0: int, fx: float, fy: float
) -> None:
    clicks = Clicks(on=((x, y),), off=((y, x),)).scaled((x0, y0), (fx, fy))
    for (px, py), (ox, oy) in ((clicks.on[0], (x, y)), (clicks.off[0], (y, x))):
        # The continuous place (0 is the crop's edge) lies within pixel p: from p to p + 1.
        assert px <= (ox + 0.5 - x0) * fx < px + 1
        assert py <= (oy + 0.5 - y0) * fy < py + 1
    assert clicks.box is None


def test_scaled_by_hand() -> None:
    clicks = Clicks(((10, 20), (5, 5)), ((9, 9),), (6, 7, 9, 12))
    assert clicks.scaled((0, 0), (1, 1)) == clicks
    assert clicks.scaled((4, 5), (2, 3)) == Clicks(((13, 46), (3, 1)), ((11, 13),), (4, 6, 10, 21))
    assert Clicks(((3, 3),)).scaled((4, 4), (0.5, 0.5)).on == ((-1, -1),)  # beyond, not at the edge


@given(coordinates, coordinates, st.integers(1, 30), st.integers(1, 30), factors, factors)
def test_the_box_grows_to_whole_pixels(
    x0: int, y0: int, width: int, height: int, fx: float, fy: float
) -> None:
    """And so never vanishes."""
    box = Clicks(box=(x0, y0, x0 + width, y0 + height)).scaled((3, 4), (fx, fy)).box
    assert box is not None
    assert box[:2] == (math.floor((x0 - 3) * fx), math.floor((y0 - 4) * fy))
    assert 0 <= box[2] - (x0 + width - 3) * fx < 1
    assert 0 <= box[3] - (y0 + height - 4) * fy < 1
    assert box[2] > box[0]
    assert box[3] > box[1]
