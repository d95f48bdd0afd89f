"""Closed-form matting against dense linear algebra, closed forms, and pymatting's results."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from instyle_refiners import closed_form as module
from instyle_refiners.closed_form import UNKNOWN, closed_form, shrunk

Array = NDArray[np.float32]


def dense_laplacian(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levin et al. 2008, equation 12, window by window, as a full matrix."""
    height, width, _ = image.shape
    index = np.arange(height * width).reshape(height, width)
    laplacian = np.zeros((height * width,) * 2)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            places = index[y - 1 : y + 2, x - 1 : x + 2].ravel()
            colors = image.reshape(-1, 3)[places]
            centered = colors - colors.mean(axis=0)
            covariance = np.cov(colors.T, bias=True) + 1e-7 / 9 * np.eye(3)
            fit = (1 + centered @ np.linalg.solve(covariance, centered.T)) / 9
            laplacian[np.ix_(places, places)] += np.eye(9) - fit
    return laplacian


def dense(image: Array, trimap: Array, prior: Array | None = None) -> NDArray[np.float64]:
    matrix = dense_laplacian(image.astype(np.float64))
    unknown = trimap.ravel() == UNKNOWN
    right = -matrix[np.ix_(unknown, ~unknown)] @ trimap.ravel()[~unknown]
    own = matrix[np.ix_(unknown, unknown)]
    if prior is not None:
        own = own + 1e-3 * np.eye(len(own))
        right = right + 1e-3 * prior.ravel()[unknown]
    alpha = trimap.astype(np.float64).ravel()
    alpha[unknown] = np.linalg.solve(own, right).clip(0, 1)
    return alpha.reshape(trimap.shape)


def scene(height: int, width: int, seed: int = 0) -> tuple[Array, Array]:
    """A picture of smooth colors with noise, and a trimap: object, unknown, background."""
    random = np.random.default_rng(seed)
    coarse = random.random((4, 5, 3)).astype(np.float32)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image = (image + 0.02 * random.normal(size=image.shape)).clip(0, 1).astype(np.float32)
    trimap = np.full((height, width), UNKNOWN, np.float32)
    trimap[:, : width // 4], trimap[:, -width // 4 :] = 1, 0
    return image, trimap


@pytest.mark.parametrize("size", [(9, 12), (14, 20), (3, 16)], ids=str)
@pytest.mark.parametrize("has_prior", [False, True])
def test_it_is_the_papers_minimum(
    size: tuple[int, int], has_prior: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RESIDUAL", 1e-10)
    monkeypatch.setattr(module, "_STEPS", 20_000)
    image, trimap = scene(*size)
    prior = np.random.default_rng(1).random(size).astype(np.float32) if has_prior else None
    found = closed_form(image, trimap, prior)
    np.testing.assert_allclose(found, dense(image, trimap, prior), atol=2e-3)


def test_it_agrees_with_pymatting() -> None:
    pymatting = pytest.importorskip("pymatting")
    image, trimap = scene(30, 40, seed=3)
    theirs = pymatting.estimate_alpha_cf(image.astype(np.float64), trimap.astype(np.float64))
    np.testing.assert_allclose(closed_form(image, trimap), theirs, atol=0.01)


def linear_mixture(height: int, width: int) -> tuple[Array, Array, Array]:
    """One color fades into another: picture, alpha, and a trimap that knows both ends."""
    share = np.linspace(1.4, -0.4, width).clip(0, 1)
    alpha = np.repeat(share[None], height, axis=0).astype(np.float32)
    front, back = np.array([0.8, 0.3, 0.1]), np.array([0.1, 0.4, 0.7])
    image = alpha[..., None] * front + (1 - alpha[..., None]) * back
    trimap = np.full_like(alpha, UNKNOWN)
    trimap[:, : width // 8], trimap[:, -width // 8 :] = 1, 0
    return image.astype(np.float32), alpha, trimap


@pytest.mark.parametrize(("side", "most"), [(40, 40_000), (160, 40_000), (160, 5_000)])
def test_a_mixture_of_two_colors_is_found_exactly(side: int, most: int) -> None:
    """Solved at once, coarse to fine, or carried over from a smaller picture."""
    image, alpha, trimap = linear_mixture(side, side)
    np.testing.assert_allclose(closed_form(image, trimap, most=most), alpha, atol=0.01)


def test_what_is_known_stays() -> None:
    image, trimap = scene(80, 90)
    for most in (0, 100, 40_000):
        found = closed_form(image, trimap, most=most)
        known = trimap != UNKNOWN
        np.testing.assert_array_equal(found[known], trimap[known])
        assert found.min() >= 0
        assert found.max() <= 1


def test_nothing_known_of_the_picture_s_size_makes_the_system_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory and time are those of at most `most` unknown pixels, whatever the size."""
    solved: list[int] = []
    system = module._system

    def counted(image: Array, trimap: Array, unknown: NDArray[np.bool_]):  # type: ignore[no-untyped-def]
        solved.append(int(unknown.sum()))
        return system(image, trimap, unknown)

    monkeypatch.setattr(module, "_system", counted)
    for side in (60, 300, 900):
        solved.clear()
        closed_form(*scene(side, side), most=6_000)
        assert max(solved) <= 6_000
        assert sum(solved) <= 6_000 * 4 / 3 + side  # each is a quarter of the next


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5), (5, 2), (3, 3)], ids=str)
def test_pictures_without_a_window(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 0.5, np.float32)
    found = closed_form(image, np.full(size, UNKNOWN, np.float32))
    assert found.shape == size
    assert np.isfinite(found).all()


@pytest.mark.parametrize("width", [8, 9, 31, 100, 333])
def test_a_shrunk_trimap_knows_what_all_its_pixels_know(width: int) -> None:
    """Sums in float32 do not turn a known pixel into an unknown one."""
    trimap = np.ones((width, width), np.float32)
    trimap[:, : width // 2] = 0
    small = shrunk(trimap, (width // 3, width // 3))
    assert set(np.unique(small)) <= {0, UNKNOWN, 1}
    assert (small == UNKNOWN).any(axis=0).sum() <= 1
    assert (small[:, -1] == 1).all()
    assert (small[:, 0] == 0).all()
