"""Figures of a segmentation, against scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sklearn import metrics

from instyle_training.metrics import Figures, confusion_of

CLASSES = ("background", "cat", "dog", "sheep")
IGNORED = 255
FEW = settings(max_examples=20, deadline=None)

Labels = NDArray[np.uint8]


def pixels(labels: list[int]) -> st.SearchStrategy[Labels]:
    return arrays.arrays(np.uint8, (5, 7), elements=st.sampled_from(labels))


def confusion(truth: Labels, found: Labels) -> NDArray[np.int64]:
    return confusion_of(torch.from_numpy(found), torch.from_numpy(truth), len(CLASSES))


@FEW
@given(pixels([0, 1, 2, 3, IGNORED]), pixels([0, 1, 2, 3]))
def test_confusion_matrix(truth: Labels, found: Labels) -> None:
    known = truth != IGNORED
    expected = (
        metrics.confusion_matrix(truth[known], found[known], labels=range(4))
        if known.any()
        else np.zeros((4, 4))
    )
    actual = confusion(truth, found)
    assert actual.dtype == np.int64
    assert np.array_equal(actual, expected)


@FEW
@given(pixels([0, 1, 2, IGNORED]), pixels([0, 2, 3]))
def test_figures(truth: Labels, found: Labels) -> None:
    truth[0, 0] = 1  # one pixel at least is known
    actual = Figures.of(confusion(truth, found), CLASSES)
    y, x = truth[truth != IGNORED], found[truth != IGNORED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may be found that is not there
        seen = metrics.balanced_accuracy_score(y, x)
    assert actual.pixel_accuracy == pytest.approx(metrics.accuracy_score(y, x))
    assert actual.mean_accuracy == pytest.approx(seen)
    assert actual.mean_iou == pytest.approx(metrics.jaccard_score(y, x, average="macro"))
    assert actual.weighted_iou == pytest.approx(
        metrics.jaccard_score(y, x, average="weighted", zero_division=0)
    )
    for name, number in zip(CLASSES, range(4), strict=True):
        there, said = y == number, x == number
        if (there | said).any():
            assert actual.iou[name] == pytest.approx(metrics.jaccard_score(there, said))
        else:
            assert name not in actual.iou
        if there.any():
            assert actual.accuracy[name] == pytest.approx(metrics.recall_score(there, said))
        else:
            assert name not in actual.accuracy


def test_by_hand() -> None:
    """Two classes of four: n = [[6, 2], [1, 3]]."""
    counts = np.zeros((4, 4), int)
    counts[0, :2], counts[2, :2] = (6, 2), (0, 0)
    counts[1, :2] = (1, 3)
    actual = Figures.of(counts, CLASSES)
    assert actual.iou == pytest.approx({"background": 6 / 9, "cat": 3 / 6})
    assert actual.accuracy == pytest.approx({"background": 6 / 8, "cat": 3 / 4})
    assert actual.pixel_accuracy == pytest.approx(9 / 12)
    assert actual.mean_accuracy == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert actual.mean_iou == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert actual.weighted_iou == pytest.approx((8 * 6 / 9 + 4 * 3 / 6) / 12)


def test_a_class_that_is_only_found_counts_for_iou_but_not_for_accuracy() -> None:
    counts = np.array([[3, 1], [0, 0]])
    actual = Figures.of(counts, ("background", "cat"))
    assert actual.iou == {"background": 0.75, "cat": 0.0}
    assert actual.accuracy == {"background": 0.75}
    assert (actual.mean_iou, actual.mean_accuracy) == (0.375, 0.75)


def test_counts_of_billions_of_pixels() -> None:
    counts = np.array([[2**40, 2**40], [0, 2**41]])
    assert Figures.of(counts, ("background", "cat")).pixel_accuracy == 0.75


def test_nothing_known() -> None:
    actual = Figures.of(np.zeros((2, 2), int), ("background", "cat"))
    assert math.isnan(actual.pixel_accuracy)
    assert math.isnan(actual.mean_accuracy)
    assert math.isnan(actual.mean_iou)
    assert math.isnan(actual.weighted_iou)
    assert actual.iou == actual.accuracy == {}
