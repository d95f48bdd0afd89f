"""The distance of colors against SciPy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.linalg import sqrtm
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from instyle_core import testing
from instyle_rankers.color import color_distance

FEW = settings(max_examples=30, deadline=None, derandomize=True)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lab(image: Tensor, mask: Tensor | None = None) -> np.ndarray:
    """The colors (n, 3) in CIELAB, each as often as its weight of 0, 1 or 2 says."""
    colors = rgb2lab(image[0].permute(1, 2, 0).numpy()).reshape(-1, 3)
    return colors if mask is None else colors.repeat(mask.flatten().int().numpy(), axis=0)


def expected_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Wasserstein distance of normal distributions, by SciPy's matrix root."""
    cov_a, cov_b = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
    cross = sqrtm(sqrtm(cov_a) @ cov_b @ sqrtm(cov_a)).real
    moved = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return float(np.sqrt(moved + np.trace(cov_a + cov_b - 2 * cross)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_color_distance(seed: int) -> None:
    content, style = random(1, 3, 12, 9, seed=seed), random(1, 3, 8, 11, seed=seed + 10) ** 2
    weights = (3 * random(1, 1, 12, 9, seed=seed + 20)).floor()
    expected = expected_distance(lab(content, weights), lab(style))
    assert color_distance(content, weights / 2, style) == pytest.approx(expected, rel=1e-3)


def test_from_black_to_white_it_is_100() -> None:
    ones = torch.ones(1, 3, 4, 4)
    assert color_distance(0 * ones, ones[:, :1], ones) == pytest.approx(100, abs=0.01)


def plain(color: tuple[float, float, float]) -> Tensor:
    """A picture (1, 3, 4, 4) of one color of CIELAB."""
    return torch.from_numpy(np.tile(lab2rgb(np.array(color, float)), (4, 4, 1))).permute(2, 0, 1)[
        None
    ]


@FEW
@given(
    a=st.tuples(st.floats(45, 65), st.floats(-15, 15), st.floats(-15, 15)),
    b=st.tuples(st.floats(45, 65), st.floats(-15, 15), st.floats(-15, 15)),
)
def test_for_plain_colors_it_is_delta_e(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> None:
    distance = color_distance(plain(a), torch.ones(1, 1, 4, 4), plain(b))
    assert distance == pytest.approx(float(np.linalg.norm(np.subtract(a, b))), abs=0.05)


def test_a_spread_that_differs_counts() -> None:
    """Two grays around one mean, near and far: each has to move by the difference of the steps."""
    near, far = (
        torch.cat([plain((50 - step, 0, 0)), plain((50 + step, 0, 0))], dim=3) for step in (5, 25)
    )
    assert color_distance(near, torch.ones(1, 1, 4, 8), far) == pytest.approx(20, abs=0.05)


def test_pixels_outside_of_the_object_do_not_count() -> None:
    content, style = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    mask = testing.disc(8, 8).decision[None]
    other = torch.where(mask > 0, content, torch.ones_like(content))
    assert color_distance(content, mask, style) == color_distance(other, mask, style)
    assert color_distance(content, 0 * mask, style) == 0


pictures = hnp.arrays(np.float64, (1, 3, 4, 5), elements=st.floats(0, 1, width=32))


@FEW
@given(one=pictures, other=pictures)
def test_it_is_a_distance(one: np.ndarray, other: np.ndarray) -> None:
    a, b = torch.from_numpy(one), torch.from_numpy(other)
    ones = torch.ones(1, 1, 4, 5)
    # The root of a variance that is 0 but for rounding: about 0.003, where 1 can hardly be seen.
    assert color_distance(a, ones, a) == pytest.approx(0, abs=0.01)
    assert color_distance(a, ones, b) == pytest.approx(color_distance(b, ones, a), abs=0.01)
    assert 0 <= color_distance(a, ones, b) < 400


def test_size_does_not_count() -> None:
    content, style = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    large = content.repeat_interleave(3, dim=2).repeat_interleave(2, dim=3)
    small = color_distance(content, torch.ones(1, 1, 8, 8), style)
    assert color_distance(large, torch.ones(1, 1, 24, 16), style) == pytest.approx(small)
