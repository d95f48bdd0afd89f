"""Proportions of pictures that belong together."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.errors import InputError
from instyle_core.images.shape import compare_shape, fits


@given(
    height=st.integers(1, 10000),
    width=st.integers(1, 10000),
    factor=st.floats(0.01, 1),
    how=st.sampled_from([math.floor, math.ceil, round]),
)
def test_a_picture_made_smaller_fits(height: int, width: int, factor: float, how: type) -> None:
    smaller = max(1, how(height * factor)), max(1, how(width * factor))
    assert fits(smaller, (height, width))
    assert fits((height, width), smaller)
    assert compare_shape("mask", Path("m.png"), smaller, (height, width)) == []


@pytest.mark.parametrize("size", [(300, 300), (300, 420), (1000, 1000), (310, 400), (512, 512)])
def test_other_proportions_are_noted(size: tuple[int, int]) -> None:
    (note,) = compare_shape("mask", Path("m.png"), size, (3000, 4000))
    assert "stretched" in note


@pytest.mark.parametrize("size", [(400, 300), (4000, 3000), (4, 3), (641, 480)])
def test_what_lies_on_its_side_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="on its side"):
        compare_shape("mask", Path("m.png"), size, (3000, 4000))


def test_a_square_does_not_lie_on_its_side() -> None:
    assert compare_shape("mask", Path("m.png"), (40, 40), (4000, 4000)) == []
