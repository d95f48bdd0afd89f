"""The Laplacian loss against SciPy's filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from instyle_core import testing
from instyle_losses.laplacian import FLAT, LaplacianLoss, average, edges
from instyle_losses.params import LaplacianParams

REDUCTIONS = ("relative", "mean", "sum")


def pooled(image: np.ndarray, pool: int) -> np.ndarray:
    """Squares side by side; those at the end may be cut off."""
    _, height, width = image.shape
    return np.array(
        [
            [
                [plane[y : y + pool, x : x + pool].mean() for x in range(0, width, pool)]
                for y in range(0, height, pool)
            ]
            for plane in image
        ]
    )


def smoothed(image: np.ndarray) -> np.ndarray:
    """The paper's code: squares of 3 around every pixel, of as many as there are at the border."""
    ones = np.ones_like(image)
    sums, counts = (
        ndimage.convolve(values, np.ones((1, 3, 3)), mode="constant") for values in (image, ones)
    )
    return sums / counts


def by_hand(params, photo, picture, mask) -> float:
    terms = []
    for pool in params.pools_at(max(photo.shape)):

        def cells(image: torch.Tensor, pool: int = pool) -> np.ndarray:
            return smoothed(image.numpy()) if params.stride else pooled(image.numpy(), pool)

        target, values = (
            ndimage.laplace(cells(image).sum(axis=0), mode="nearest") for image in (photo, picture)
        )
        weight = cells(mask)[0]
        error = (weight * (values - target) ** 2).sum()
        if params.reduction == "relative":
            terms.append(error / (weight * target**2).sum())
        else:
            error *= params.pixel_range**2
            terms.append(error / weight.sum() if params.reduction == "mean" else error)
    return sum(terms) if params.reduction == "sum" else float(np.mean(terms))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pools": [4], "pixel_range": 255},
        {"pools": [1, 2, 5, 7]},
        {"pools": [0.1, 0.25, 1]},
        {"pools": [3], "stride": 1},
    ],
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_value(evaluate, photo, picture, mask, reduction, settings) -> None:
    params = LaplacianParams(reduction=reduction, **settings)
    steep = 0.5 + 5 * (photo - 0.5)  # its energy is above the floor for every pool
    value = evaluate(LaplacianLoss, params, steep, picture, mask)
    assert value == pytest.approx(by_hand(params, steep, picture, mask))


def test_kernel_and_sum_over_channels() -> None:
    image = torch.zeros(1, 3, 5, 5)
    image[0, 0, 2, 2], image[0, 2, 2, 2] = 1.0, 0.5
    expected = torch.zeros(5, 5)
    expected[2, 1:4] = expected[1:4, 2] = -1.5
    expected[2, 2] = 6
    torch.testing.assert_close(edges(image, 1)[0, 0], expected)


@pytest.mark.parametrize(("pool", "stride"), [(1, None), (4, None), (5, 2), (3, 1), (16, 4)])
def test_a_flat_picture_has_no_edges(pool, stride) -> None:
    flat = torch.full((1, 3, 22, 19), 0.7, dtype=torch.float64)
    assert edges(flat, pool, stride).abs().max() < 1e-12
    assert (average(flat, pool, stride) - 0.7).abs().max() < 1e-12


def test_relative_is_independent_of_size(evaluate, photo, picture, mask, enlarge) -> None:
    """At twice the size with twice the pool, which a share of the picture is."""
    pictures = (photo, picture, mask)
    large = [enlarge(image) for image in pictures]
    longest = max(photo.shape)
    in_pixels = evaluate(LaplacianLoss, LaplacianParams(pools=[2, 4]), *pictures)
    assert evaluate(LaplacianLoss, LaplacianParams(pools=[4, 8]), *large) == pytest.approx(
        in_pixels
    )
    shares = LaplacianParams(pools=[2 / longest, 4 / longest])
    assert evaluate(LaplacianLoss, shares, *pictures) == pytest.approx(in_pixels)
    assert evaluate(LaplacianLoss, shares, *large) == pytest.approx(in_pixels)


def test_relative_does_not_explode_for_a_flat_photo(evaluate, photo, mask) -> None:
    """It is the mean square over the floor, which makes a faint texture cost little."""
    flat = torch.full_like(photo, 0.5)
    params = LaplacianParams(pools=[1])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(-1, 2, photo.shape, generator=generator) / 255
    assert evaluate(LaplacianLoss, params, flat, flat, mask) == 0
    value = evaluate(LaplacianLoss, params, flat, flat + noise, mask)
    absolute = LaplacianParams(pools=[1], reduction="mean")
    mean = evaluate(LaplacianLoss, absolute, flat, flat + noise, mask)
    assert value == pytest.approx(mean / FLAT)
    assert value < 0.1


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_picture_of_one_cell_has_no_edges(evaluate, photo, picture, mask, reduction) -> None:
    params = LaplacianParams(pools=[64], reduction=reduction)
    assert evaluate(LaplacianLoss, params, photo, picture, mask) == 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_no_object_no_loss(evaluate, photo, picture, mask, reduction) -> None:
    params = LaplacianParams(reduction=reduction)
    assert evaluate(LaplacianLoss, params, photo, picture, torch.zeros_like(mask)) == 0


def test_large_sums_in_float32(evaluate) -> None:
    generator = torch.Generator().manual_seed(0)
    photo, picture = torch.rand(2, 3, 512, 512, generator=generator)
    mask = testing.disc(512, 512).decision
    for reduction in REDUCTIONS:
        params = LaplacianParams(reduction=reduction, pools=[1])
        single = evaluate(LaplacianLoss, params, photo, picture, mask)
        double = evaluate(LaplacianLoss, params, photo.double(), picture.double(), mask.double())
        assert single == pytest.approx(double, rel=1e-5)
