"""At which sizes an object is optimized, and for how many steps."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.optimization.schedule import (
    COARSEST,
    FACTOR,
    FINEST_SHARE,
    MIDDLE_SHARE,
    Level,
    scale_sizes,
    scale_steps,
    schedule,
)

sides = st.integers(32, 5000)
counts = st.integers(1, 18)

# --- sizes ----------------------------------------------------------------------------------------


@given(height=sides, width=sides, scales=counts)
def test_scales_grow_by_the_factor_up_to_the_size(height: int, width: int, scales: int) -> None:
    sizes = scale_sizes((height, width), scales)
    assert sizes[-1] == (height, width)
    assert 1 <= len(sizes) <= scales
    assert len(set(sizes)) == len(sizes)
    for smaller, larger in itertools.pairwise(sizes):
        for a, b in zip(smaller, larger, strict=True):
            assert a >= 32
            # Each is rounded; of a narrow picture, the coarsest is nearer.
            nearer = min(smaller) == 32
            assert abs(FACTOR * a - b) <= 0.5 * FACTOR + 0.5 or (
                nearer and a <= b <= FACTOR * a + 1
            )
    if min(height, width) >= 32 * FACTOR ** (scales - 1):
        assert len(sizes) == scales


@given(height=sides, width=sides, scales=counts)
def test_every_second_size_is_half_as_large(height: int, width: int, scales: int) -> None:
    from_fine_to_coarse = scale_sizes((height, width), scales)[::-1]
    for index, size in enumerate(from_fine_to_coarse):
        for side, finest in zip(size, (height, width), strict=True):
            # No side is below 32, and proportions are kept.
            exact = finest * max(2 ** (-index / 2), 32 / min(height, width))
            assert abs(side - exact) <= 0.5 + 1e-9
    if len(from_fine_to_coarse) < scales:  # others would be the same as the coarsest
        assert min(from_fine_to_coarse[-1]) == 32


@given(height=sides, width=sides)
def test_auto_starts_near_the_coarsest_size(height: int, width: int) -> None:
    sizes = scale_sizes((height, width), "auto")
    assert sizes[-1] == (height, width)
    narrow = 32 * max(height, width) / min(height, width)
    near = max(COARSEST * math.sqrt(FACTOR), narrow)
    assert max(sizes[0]) <= near + 1
    assert max(sizes[0]) >= min(near / FACTOR - 1, max(height, width))


@given(height=sides, width=sides)
def test_no_other_number_of_scales_would_start_nearer(height: int, width: int) -> None:
    longest = max(height, width)

    def distance(scales: int) -> float:
        return abs(math.log(longest / 2 ** ((scales - 1) / 2) / COARSEST))

    best = min(range(1, 30), key=distance)
    assert scale_sizes((height, width), "auto") == scale_sizes((height, width), best)


def test_a_scale_never_has_fewer_than_32_pixels_a_side() -> None:
    assert scale_sizes((32, 512), 3) == [(32, 512)]
    assert scale_sizes((40, 640), 3) == [(32, 512), (40, 640)]
    assert scale_sizes((40, 40), 6) == [(32, 32), (40, 40)]
    assert scale_sizes((32, 32), 6) == [(32, 32)]


# --- steps ----------------------------------------------------------------------------------------


@given(steps=st.integers(1, 1000), scales=st.integers(1, 12))
def test_steps_of_all_scales(steps: int, scales: int) -> None:
    shares = scale_steps(steps, scales)
    assert len(shares) == scales
    assert sum(shares) == steps
    assert min(shares) >= 0
    if scales > 1:
        first, *middle, finest = shares
        assert FINEST_SHARE * steps <= finest < FINEST_SHARE * steps + 1
        assert len(set(middle)) <= 1
        assert all(share < MIDDLE_SHARE * steps + 1 for share in middle)
        assert all(share <= first for share in middle)


@given(steps=st.integers(1, 1000), scales=st.integers(3, 12))
def test_middle_shares_are_as_large_as_they_may_be(steps: int, scales: int) -> None:
    _, *middle, finest = scale_steps(steps, scales)
    one_more = middle[0] + 1
    too_many = one_more >= MIDDLE_SHARE * steps + 1
    assert too_many or steps - finest - one_more * len(middle) < one_more


@pytest.mark.parametrize(
    ("scales", "expected"),
    [
        (1, [200]),
        (2, [100, 100]),
        (4, [60, 20, 20, 100]),
        (6, [20, 20, 20, 20, 20, 100]),
        (7, [20, 16, 16, 16, 16, 16, 100]),
    ],
)
def test_two_hundred_steps(scales: int, expected: list[int]) -> None:
    assert scale_steps(200, scales) == expected


# --- all of it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scales", "steps", "expected"),
    [
        ((128, 128), "auto", 50, [(64, 64, 20), (91, 91, 5), (128, 128, 25)]),
        ((64, 40), "auto", 50, [(64, 40, 50)]),
        ((64, 48), 2, 7, [(45, 34, 3), (64, 48, 4)]),
        ((64, 48), 3, 1, [(43, 32, 0), (45, 34, 0), (64, 48, 1)]),
        ((36, 36), 9, 10, [(32, 32, 5), (36, 36, 5)]),  # two sizes, and the steps of two
        ((1024, 32), 1, 3, [(1024, 32, 3)]),
    ],
)
def test_a_schedule(
    size: tuple[int, int],
    scales: int | Literal["auto"],
    steps: int,
    expected: list[tuple[int, int, int]],
) -> None:
    assert schedule(size, scales, steps) == [Level((h, w), count) for h, w, count in expected]


@given(height=sides, width=sides, scales=st.just("auto") | counts, steps=st.integers(1, 1000))
def test_a_schedule_is_all_steps_at_all_sizes(
    height: int, width: int, scales: int | Literal["auto"], steps: int
) -> None:
    levels = schedule((height, width), scales, steps)
    assert [level.size for level in levels] == scale_sizes((height, width), scales)
    assert [level.steps for level in levels] == scale_steps(steps, len(levels))
