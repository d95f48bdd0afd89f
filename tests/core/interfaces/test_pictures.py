"""Masks, and what a size, a point and a box mean."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from instyle_core.interfaces.pictures import Box, Mask, Point, Size
from instyle_core.objects.boxes import box_of


def test_a_mask_keeps_its_tensors_and_cannot_be_given_others() -> None:
    probability, decision = torch.rand(1, 4, 5), torch.ones(1, 4, 5)
    mask = Mask(probability, decision)
    assert mask.probability is probability
    assert mask.decision is decision
    with pytest.raises(FrozenInstanceError):
        mask.decision = probability  # type: ignore[misc]


def test_a_box_is_x_before_y_and_ends_before_its_last_numbers() -> None:
    """An array is (height, width), so that a point (x, y) is its element [y, x]."""
    size: Size = (6, 9)
    decision = np.zeros((1, *size), np.float32)
    corners: list[Point] = [(2, 1), (6, 3)]
    for x, y in corners:
        decision[0, y, x] = 1
    box: Box = box_of(torch.from_numpy(decision))
    x0, y0, x1, y1 = box
    assert box == (2, 1, 7, 4)
    assert decision[0, y0:y1, x0:x1].sum() == decision.sum()
