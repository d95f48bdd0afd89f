"""The boundary F-score, against brute force: every pixel with every pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from instyle_training.boundary import TOLERANCE, _filled, boundary_scores

IGNORED = 255

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def boundary(mask: Mask) -> NDArray[np.int64]:
    """Where a mask ends, as coordinates (N, 2); not at the rim of the picture."""
    return np.argwhere(mask & ~ndimage.binary_erosion(mask, border_value=1))


def expected(truth: Labels, found: Labels, tolerance: float = 3.0) -> dict[int, float]:
    scores = {}
    for number in sorted({*np.unique(truth), *np.unique(found)} - {0}):
        true, said = boundary(truth == number), boundary(found == number)
        if len(true) == 0 or len(said) == 0:
            scores[int(number)] = float(len(true) == len(said))
            continue
        near = cdist(true, said) <= tolerance
        recall, precision = near.any(axis=1).mean(), near.any(axis=0).mean()
        both = precision + recall
        scores[int(number)] = 2 * precision * recall / both if both else 0.0
    return scores


def square(top: int, left: int, side: int = 12, label: int = 1, size: int = 40) -> Labels:
    labels = np.zeros((size, size), np.uint8)
    labels[top : top + side, left : left + side] = label
    return labels


def label_maps(*labels: int, side: int = 24) -> st.SearchStrategy[Labels]:
    """Blocks of any labels: regions of several pixels, touching one another and the rim."""
    blocks = arrays.arrays(np.uint8, (side // 3, side // 3), elements=st.sampled_from(labels))
    return blocks.map(lambda small: np.kron(small, np.ones((3, 3), np.uint8)))


# --- against brute force --------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(label_maps(0, 0, 0, 1, 2), label_maps(0, 0, 0, 1, 3), st.sampled_from([0, 1, 2.5, 3, 5]))
def test_any_labels(truth: Labels, found: Labels, tolerance: float) -> None:
    actual = boundary_scores(truth, found, IGNORED, tolerance)
    assert actual == pytest.approx(expected(truth, found, tolerance))


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 1, 2])))
def test_single_pixels(truth: Labels) -> None:
    found = np.roll(truth, 1, axis=1)
    actual = boundary_scores(truth, found, IGNORED, 1)
    assert actual == pytest.approx(expected(truth, found, 1))


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, (12, 15), elements=st.sampled_from([0, 1, 2, *[IGNORED] * 6])))
def test_ignored_pixels_get_the_nearest_label(labels: Labels) -> None:
    labels[3, 4] = 1  # one pixel at least is known
    known = np.argwhere(labels != IGNORED)
    away = cdist(np.argwhere(np.ones_like(labels)), known)
    nearest = away <= away.min(axis=1, keepdims=True) + 1e-9  # more than one may be
    filled = _filled(labels, IGNORED).ravel()
    assert (nearest & (filled[:, None] == labels[tuple(known.T)])).any(axis=1).all()


# --- by hand --------------------------------------------------------------------------------------


def test_the_tolerance_is_three_pixels() -> None:
    assert TOLERANCE == 3


def test_the_same_boundary() -> None:
    assert boundary_scores(square(10, 10), square(10, 10), IGNORED) == {1: 1.0}


def test_exactly_three_pixels_off_is_right_and_four_are_wrong() -> None:
    """A line of one pixel, so that all of its pixels are boundary, and all are equally far off."""
    truth, three, four = (np.zeros((20, 20), np.uint8) for _ in range(3))
    truth[5], three[8], four[9] = 1, 1, 1
    assert boundary_scores(truth, three, IGNORED) == {1: 1.0}
    assert boundary_scores(truth, four, IGNORED) == {1: 0.0}
    assert boundary_scores(truth, four, IGNORED, tolerance=4) == {1: 1.0}


def test_a_diagonal_step_is_longer_than_a_straight_one() -> None:
    truth, straight, diagonal = (np.zeros((20, 20), np.uint8) for _ in range(3))
    truth[10, 10], straight[10, 13], diagonal[13, 11] = 1, 1, 1  # 3 and 3.16 pixels
    assert boundary_scores(truth, straight, IGNORED) == {1: 1.0}
    assert boundary_scores(truth, diagonal, IGNORED) == {1: 0.0}


@pytest.mark.parametrize(
    ("shift", "near"), [(1, 44), (2, 44), (3, 44), (4, 28), (5, 26), (6, 24), (7, 22), (30, 0)]
)
def test_a_shifted_square(shift: int, near: int) -> None:
    """A square of 12 has a boundary of 44 pixels; a shift by s = 4 ... 7 leaves 28 - 2(s - 4).

    Lost are the 12 of the side behind, s - 4 of either side along the shift, and 4 in the middle of
    the side in front. What is lost of the one square is lost of the other, so that F = P = R.
    """
    truth, found = square(5, 5, size=60), square(5, 5 + shift, size=60)
    assert boundary_scores(truth, found, IGNORED) == {1: pytest.approx(near / 44)}


def test_precision_and_recall() -> None:
    """The found line is twice as long: precision 13/20 (3 pixels are near its end), recall 1."""
    truth, found = np.zeros((9, 30), np.uint8), np.zeros((9, 30), np.uint8)
    truth[4, :10], found[4, :20] = 1, 1
    assert boundary_scores(truth, found, IGNORED)[1] == pytest.approx(2 * 0.65 / 1.65)


def test_the_rim_of_the_picture_is_no_boundary() -> None:
    """Both halves end in the middle; that they go on to different rims does not matter."""
    truth, found = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    truth[:, :10], found[:, 9:] = 1, 1
    assert boundary_scores(truth, found, IGNORED) == {1: 1.0}


def test_a_class_that_fills_the_picture_has_no_boundary() -> None:
    full, half = np.ones((10, 10), np.uint8), np.ones((10, 10), np.uint8)
    half[5:] = 0
    assert boundary_scores(full, full, IGNORED) == {1: 1.0}
    assert boundary_scores(full, half, IGNORED) == {1: 0.0}
    assert boundary_scores(half, full, IGNORED) == {1: 0.0}


def test_a_class_on_one_side_only() -> None:
    nothing = np.zeros((40, 40), np.uint8)
    assert boundary_scores(square(10, 10), nothing, IGNORED) == {1: 0.0}
    assert boundary_scores(nothing, square(10, 10, label=7), IGNORED) == {7: 0.0}
    assert boundary_scores(nothing, nothing, IGNORED) == {}


@pytest.mark.parametrize("band", [1, 2, 3])
def test_the_boundary_runs_in_the_middle_of_an_ignored_band(band: int) -> None:
    """A band of 2 b columns between the halves: the true boundary is in its middle, b further."""
    truth = np.zeros((20, 40), np.uint8)
    truth[:, 20 + band :] = 1
    truth[:, 20 - band : 20 + band] = IGNORED
    found = np.zeros((20, 40), np.uint8)
    for start, score in ((17, 1.0), (20, 1.0), (23, 1.0), (16, 0.0), (24, 0.0)):
        found[:] = 0
        found[:, start:] = 1
        assert boundary_scores(truth, found, IGNORED) == {1: score}, start


def test_a_picture_without_any_label_has_no_score() -> None:
    assert boundary_scores(np.full((8, 8), IGNORED, np.uint8), square(2, 2, 4, size=8), 255) == {}


def test_what_it_is_given_stays_as_it_is() -> None:
    truth, found = square(5, 5), square(6, 6)
    truth[0, :9] = IGNORED
    before = truth.copy(), found.copy()
    boundary_scores(truth, found, IGNORED)
    assert np.array_equal(truth, before[0])
    assert np.array_equal(found, before[1])
