"""The total variation loss against explicit differences in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instyle_losses.params import TVParams
from instyle_losses.tv import FLAT, TVLoss

REDUCTIONS = ("relative", "mean", "sum")


def variation(image: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """The weighted sum of squared differences, and the sum of the weights."""
    channels, height, width = image.shape
    total = count = 0.0
    for y in range(height):
        for x in range(width):
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < height and u < width:
                    weight = mask[0, y, x] * mask[0, v, u]
                    total += weight * ((image[:, y, x] - image[:, v, u]) ** 2).sum()
                    count += weight * channels
    return total, count


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_value(evaluate, photo, picture, mask, reduction) -> None:
    steep = 0.5 + 5 * (photo - 0.5)  # its energy is above the floor
    total, count = variation(picture.numpy(), mask.numpy())
    reference, _ = variation(steep.numpy(), mask.numpy())
    expected = {"relative": total / reference, "mean": total / count, "sum": total}[reduction]
    value = evaluate(TVLoss, TVParams(reduction=reduction), steep, picture, mask)
    assert value == pytest.approx(expected)


def test_the_photo_itself_has_one(evaluate, picture, mask) -> None:
    assert evaluate(TVLoss, TVParams(), picture, picture, mask) == pytest.approx(1)


def test_relative_is_independent_of_size(evaluate, photo, picture, mask, enlarge) -> None:
    steep, ones = 0.5 + 5 * (photo - 0.5), torch.ones_like(mask)
    small = evaluate(TVLoss, TVParams(), steep, picture, ones)
    large = evaluate(TVLoss, TVParams(), enlarge(steep), enlarge(picture), enlarge(ones))
    assert large == pytest.approx(small)


def test_relative_does_not_explode_for_a_flat_photo(evaluate, photo, picture, mask) -> None:
    flat = torch.full_like(photo, 0.5)
    assert evaluate(TVLoss, TVParams(), flat, flat, mask) == 0
    value = evaluate(TVLoss, TVParams(), flat, picture, mask)
    mean = evaluate(TVLoss, TVParams(reduction="mean"), flat, picture, mask)
    assert value == pytest.approx(mean / FLAT)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_no_pair_no_loss(evaluate, photo, picture, mask, reduction) -> None:
    """A checkerboard has no two neighbors."""
    y, x = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    board = ((y + x) % 2)[None].double()
    for lonely in (torch.zeros_like(mask), board):
        assert evaluate(TVLoss, TVParams(reduction=reduction), photo, picture, lonely) == 0


masks = hnp.arrays(np.float64, (1, 5, 7), elements=st.floats(0, 1, width=32, allow_subnormal=False))
pictures = hnp.arrays(np.float64, (3, 5, 7), elements=st.floats(0, 1, width=32))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(mask=masks, photo=pictures, picture=pictures, reduction=st.sampled_from(REDUCTIONS))
def test_symmetries(evaluate, mask, photo, picture, reduction) -> None:
    """Mirrored, transposed, inverted or with its channels in another order, it is the same."""
    params = TVParams(reduction=reduction)
    images = [torch.from_numpy(image) for image in (photo, picture, mask)]
    value = evaluate(TVLoss, params, *images)
    same = [
        [image.flip(-1) for image in images],
        [image.mT for image in images],
        [images[0], 1 - images[1], images[2]],
        [images[0].roll(1, 0), images[1].roll(1, 0), images[2]],
    ]
    for others in same:
        assert evaluate(TVLoss, params, *others) == pytest.approx(value, abs=1e-12)
