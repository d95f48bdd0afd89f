"""The refiner ``guided`` against the paper's equations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instyle_refiners.guided import GuidedRefiner
from instyle_refiners.params import GuidedParams
from tests.plugins.instyle_refiners.scenes import blurred_off, iou, scene


def by_the_book(
    image: NDArray[np.float64], p: NDArray[np.float64], radius: int, epsilon: float
) -> NDArray[np.float64]:
    """He, Sun and Tang 2010, equations 14 to 16 for a color guide, away from the border."""
    height, width = p.shape
    a = np.zeros((height, width, 3))
    b = np.zeros((height, width))
    r = radius
    for y in range(r, height - r):
        for x in range(r, width - r):
            window = image[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3)
            values = p[y - r : y + r + 1, x - r : x + r + 1].ravel()
            mean = window.mean(axis=0)
            covariance = np.cov(window.T, bias=True) + epsilon * np.eye(3)
            a[y, x] = np.linalg.solve(
                covariance, (window * values[:, None]).mean(axis=0) - mean * values.mean()
            )
            b[y, x] = values.mean() - a[y, x] @ mean
    out = np.zeros((height, width))
    for y in range(2 * r, height - 2 * r):
        for x in range(2 * r, width - 2 * r):
            mean_a = a[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3).mean(axis=0)
            out[y, x] = mean_a @ image[y, x] + b[y - r : y + r + 1, x - r : x + r + 1].mean()
    return out


def test_it_is_the_papers_filter() -> None:
    photo, true = scene(40)
    coarse = blurred_off(true, blur=2, shift=1)
    params = GuidedParams(radius=0.1, epsilon=1e-3)
    refined = GuidedRefiner(params).refine(photo, coarse).probability[0].numpy()
    guide = photo.permute(1, 2, 0).double().numpy()
    expected = by_the_book(guide, coarse.probability[0].double().numpy(), 4, 1e-3).clip(0, 1)
    inner = slice(8, -8)
    np.testing.assert_allclose(refined[inner, inner], expected[inner, inner], atol=2e-4)


def test_it_reaches_farther_with_a_larger_radius() -> None:
    photo, true = scene(120)
    coarse = blurred_off(true, blur=6, shift=6)
    near, far = (
        iou(GuidedRefiner(GuidedParams(radius=r)).refine(photo, coarse).decision, true)
        for r in (0.01, 0.08)
    )
    assert far > near + 0.02
