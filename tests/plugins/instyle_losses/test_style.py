"""The style loss against explicit sums in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instyle_core import testing
from instyle_losses.params import StyleParams
from instyle_losses.style import StyleLoss

LAYERS = ("a", "b")
GRAMS = ("mean", "chw", "sum")


@pytest.fixture(scope="module")
def styles() -> list[torch.Tensor]:
    return [testing.picture(20, 14, seed=5).double(), testing.picture(10, 12, seed=6).double()]


def gram_by_hand(params, layer, image, mask) -> np.ndarray:
    maps = testing.view(image, mask, params).features("vgg19", layer)[0].numpy()
    channels, height, width = maps.shape
    matrix, cells = np.zeros((channels, channels)), 0.0
    for y in range(height):
        for x in range(width):
            m = mask[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].numpy().mean()
            matrix += m * np.outer(maps[:, y, x], maps[:, y, x])
            cells += m
    return matrix / {"mean": cells, "chw": channels * cells, "sum": 1.0}[params.gram]


def by_hand(params, picture, mask, styles, style_weights) -> float:
    total = 0.0
    weights = np.array(params.layer_weights or [1.0] * len(params.layers))
    if params.reduction != "sum":
        weights = weights / weights.sum()
    for layer, weight in zip(params.layers, weights, strict=True):
        actual = gram_by_hand(params, layer, picture, mask)
        target = sum(
            share * gram_by_hand(params, layer, style, torch.ones_like(style[:1]))
            for style, share in zip(styles, style_weights, strict=True)
        )
        divisor = {"relative": (target**2).sum(), "mean": target.size, "sum": 1.0}
        total += weight * ((actual - target) ** 2).sum() / divisor[params.reduction]
    return total


@pytest.mark.parametrize("gram", GRAMS)
@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
def test_value(evaluate, photo, picture, mask, styles, reduction, gram) -> None:
    params = StyleParams(layers=LAYERS, layer_weights=(2, 1), reduction=reduction, gram=gram)
    shares = (0.25, 0.75)
    value = evaluate(StyleLoss, params, photo, picture, mask, styles=styles, style_weights=shares)
    assert value == pytest.approx(by_hand(params, picture, mask, styles, shares))


def test_an_object_of_less_than_a_cell(evaluate, photo, picture) -> None:
    """One pixel of an 8x8 cell: the Gram matrix is that of the cell."""
    pixel = torch.zeros_like(photo[:1])
    pixel[0, 9, 17] = 1
    cell = torch.zeros_like(pixel)
    cell[0, 8:16, 16:24] = 1
    coarse = {"styles": [photo], "style_weights": [1], "stride": 8}
    of_pixel, of_cell = (
        evaluate(StyleLoss, StyleParams(), photo, picture, mask, **coarse) for mask in (pixel, cell)
    )
    assert of_pixel == pytest.approx(of_cell)
    assert of_pixel > 0


@pytest.mark.parametrize("gram", ["mean", "chw"])
def test_relative_is_independent_of_size(
    evaluate, photo, picture, mask, styles, enlarge, gram
) -> None:
    params = StyleParams(layers=LAYERS, gram=gram)
    plain = {"styles": styles[:1], "style_weights": [1], "stride": 1}
    images = photo, picture, mask
    small = evaluate(StyleLoss, params, *images, **plain)
    large = evaluate(StyleLoss, params, *map(enlarge, images), **plain)
    assert large == pytest.approx(small)


def test_relative_is_the_same_for_mean_and_chw(evaluate, photo, picture, mask, styles) -> None:
    plain = {"styles": styles, "style_weights": [0.5, 0.5]}
    values = [
        evaluate(StyleLoss, StyleParams(gram=gram), photo, picture, mask, **plain)
        for gram in ("mean", "chw")
    ]
    assert values[0] == pytest.approx(values[1])


def test_a_black_style_gives_a_finite_value(evaluate, photo, picture, mask) -> None:
    black = {"styles": [torch.zeros_like(photo)], "style_weights": [1]}
    assert np.isfinite(evaluate(StyleLoss, StyleParams(), photo, picture, mask, **black))


@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
def test_no_object_no_loss(evaluate, photo, picture, mask, styles, reduction) -> None:
    params = StyleParams(reduction=reduction)
    nothing = torch.zeros_like(mask)
    plain = {"styles": styles[:1], "style_weights": [1]}
    assert evaluate(StyleLoss, params, photo, picture, nothing, **plain) == 0


masks = hnp.arrays(np.float64, (1, 6, 8), elements=st.floats(0, 1, width=32, allow_subnormal=False))
pictures = hnp.arrays(np.float64, (3, 6, 8), elements=st.floats(0, 1, width=32))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(mask=masks, picture=pictures, seed=st.integers(0, 100), gram=st.sampled_from(GRAMS))
def test_where_things_are_is_no_style(evaluate, mask, picture, seed, gram) -> None:
    """Shuffling the object's cells changes nothing, and the background does not count."""
    random = np.random.default_rng(seed)
    order = random.permutation(6 * 8)

    def shuffled(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.reshape(len(image), -1)[:, order].reshape(image.shape))

    params = StyleParams(layers=LAYERS, gram=gram)
    style = testing.picture(6, 8).double()
    photo = torch.zeros_like(style)
    plain = {"styles": [style], "style_weights": [1], "stride": 1}
    images = torch.from_numpy(picture), torch.from_numpy(mask)
    value = evaluate(StyleLoss, params, photo, *images, **plain)
    again = evaluate(StyleLoss, params, photo, shuffled(picture), shuffled(mask), **plain)
    assert again == pytest.approx(value)
    other = torch.from_numpy(np.where(mask > 0, picture, random.random(picture.shape)))
    assert evaluate(StyleLoss, params, photo, other, images[1], **plain) == pytest.approx(value)
