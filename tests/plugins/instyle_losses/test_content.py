"""The content loss against explicit sums in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instyle_core import testing
from instyle_losses.content import ContentLoss
from instyle_losses.params import ContentParams

LAYERS = ("a", "b", "c")
WEIGHTS = (3.0, 1.0, 0.5)


def by_hand(params, photo, picture, mask) -> float:
    total = 0.0
    weights = np.array(params.layer_weights or [1.0] * len(params.layers))
    if params.reduction != "sum":
        weights = weights / weights.sum()
    for layer, weight in zip(params.layers, weights, strict=True):
        target, values = (
            testing.view(image, mask, params).features("vgg19", layer)[0].numpy()
            for image in (photo, picture)
        )
        _, height, width = target.shape
        error = energy = count = 0.0
        for y in range(height):
            for x in range(width):
                m = mask[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].numpy().mean()
                error += m * ((values[:, y, x] - target[:, y, x]) ** 2).sum()
                energy += m * (target[:, y, x] ** 2).sum()
                count += m * len(target)
        divisor = {"relative": energy, "mean": count, "sum": 1.0}[params.reduction]
        total += weight * error / divisor
    return total


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
def test_value(evaluate, photo, picture, mask, reduction, weights) -> None:
    params = ContentParams(layers=LAYERS, layer_weights=weights, reduction=reduction)
    expected = by_hand(params, photo, picture, mask)
    assert evaluate(ContentLoss, params, photo, picture, mask) == pytest.approx(expected)


def test_relative_is_independent_of_size(evaluate, photo, picture, mask, enlarge) -> None:
    params = ContentParams(layers=LAYERS)
    images = photo, picture, mask
    small = evaluate(ContentLoss, params, *images, stride=1)
    large = evaluate(ContentLoss, params, *map(enlarge, images), stride=1)
    assert large == pytest.approx(small)


def test_relative_is_one_for_a_black_picture(evaluate, photo, mask) -> None:
    """The feature maps of black are zero, for this extractor."""
    params = ContentParams(layers=LAYERS)
    value = evaluate(ContentLoss, params, photo, torch.zeros_like(photo), mask)
    assert value == pytest.approx(1.0)


def test_a_black_photo_gives_a_finite_value(evaluate, photo, mask) -> None:
    black = torch.zeros_like(photo)
    assert np.isfinite(evaluate(ContentLoss, ContentParams(), black, photo, mask))
    assert evaluate(ContentLoss, ContentParams(), black, black, mask) == 0


@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
def test_no_object_no_loss(evaluate, photo, picture, mask, reduction) -> None:
    params = ContentParams(reduction=reduction)
    assert evaluate(ContentLoss, params, photo, picture, torch.zeros_like(mask)) == 0


masks = hnp.arrays(np.float64, (1, 6, 8), elements=st.floats(0, 1, width=32, allow_subnormal=False))
pictures = hnp.arrays(np.float64, (3, 6, 8), elements=st.floats(0, 1, width=32))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(mask=masks, photo=pictures, picture=pictures, seed=st.integers(0, 100))
def test_only_which_cells_are_compared_counts(evaluate, mask, photo, picture, seed) -> None:
    """Shuffling photo, picture and mask alike changes nothing; a fainter mask neither."""
    order = np.random.default_rng(seed).permutation(6 * 8)

    def shuffled(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.reshape(len(image), -1)[:, order].reshape(image.shape))

    params = ContentParams(layers=LAYERS)
    images = [torch.from_numpy(image) for image in (photo, picture, mask)]
    value = evaluate(ContentLoss, params, *images, stride=1)
    assert value >= 0
    again = evaluate(ContentLoss, params, *map(shuffled, (photo, picture, mask)), stride=1)
    assert again == pytest.approx(value)
    fainter = evaluate(ContentLoss, params, *images[:2], images[2] / 4, stride=1)
    assert fainter == pytest.approx(value)
