"""Objects out of class masks, against scipy's regions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from instyle_click.objects import FEWEST, LEAST, regions
from tests.plugins.instyle_training.shapes import CAT, DOG, IGNORED, scene

coarse = hnp.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 0, CAT, DOG, IGNORED]))


def enlarged(cells: NDArray[Any], factor: int = 8) -> NDArray[Any]:
    return cells.repeat(factor, axis=0).repeat(factor, axis=1)


@given(coarse)
def test_they_are_scipys_regions(cells: NDArray[Any]) -> None:
    """Cells have 64 pixels, so that one alone is too small, and two are an object."""
    mask = enlarged(cells)
    expected = set()
    for label in (CAT, DOG):
        parts, count = ndimage.label(mask == label, np.ones((3, 3)))
        inside = [parts == number for number in range(1, count + 1)]
        expected |= {(label, part.sum(), part.tobytes()) for part in inside if part.sum() >= 100}
    found = regions(mask)
    assert {(r.label, r.area, r.inside.tobytes()) for r in found} == expected
    assert len(found) == len(expected)
    assert [r.area for r in found] == sorted((r.area for r in found), reverse=True)


def test_small_regions_are_no_objects() -> None:
    assert (FEWEST, LEAST) == (100, 0.002)
    mask = np.zeros((300, 400), np.uint8)  # 0.002 of which are 240 pixels
    mask[10:22, 10:30] = CAT
    mask[100, 100:339] = CAT
    assert [r.area for r in regions(mask)] == [240]
    mask = np.zeros((30, 40), np.uint8)
    mask[:10, :10] = DOG
    mask[20:29, :11] = CAT
    assert [r.area for r in regions(mask)] == [100]


def test_a_mask_without_objects() -> None:
    assert regions(np.zeros((9, 9), np.uint8)) == []
    assert regions(np.full((99, 99), IGNORED, np.uint8)) == []


def test_touching() -> None:
    """A region of another class at most 4 pixels away, over the unlabeled band too."""

    def touching(gap: int, other: int, between: int = IGNORED, length: int = 40) -> list[bool]:
        mask = np.zeros((60, 80), np.uint8)
        mask[10:50, 10:30] = CAT
        mask[10:50, 30 : 30 + gap] = between
        mask[10 : 10 + length, 30 + gap : 60] = other
        return [region.touching for region in regions(mask)]

    assert touching(0, DOG) == [True, True]
    assert touching(3, DOG) == [True, True]
    assert touching(3, DOG, between=0) == [True, True]
    assert touching(4, DOG) == [False, False]
    assert touching(3, CAT) == [False, False]
    assert touching(3, 0) == [False]
    assert touching(0, IGNORED) == [False]
    assert touching(0, DOG, length=5) == [True, True]
    assert touching(3, DOG, length=4) == [False, False]  # a corner: less than 20 pixels


def test_a_scene() -> None:
    _, mask = scene(0)
    found = regions(mask)
    assert {region.label for region in found} == {CAT, DOG}
    for region in found:
        assert np.array_equal(region.inside, mask == region.label)
        assert region.inside.dtype == bool
        assert not region.touching
