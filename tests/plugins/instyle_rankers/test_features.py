"""The distance of features against explicit sums in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instyle_rankers import features
from instyle_rankers.features import feature_distance

FEW = settings(max_examples=30, deadline=None, derandomize=True)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(content: np.ndarray, mask: np.ndarray, style: np.ndarray) -> float:
    """Cell by cell: (C, h, w), (h, w), (C, h', w')."""
    total = 0.0
    for y, x in np.argwhere(mask > 0):
        cell = content[:, y, x]
        cosines = [
            cell @ other / np.linalg.norm(cell) / np.linalg.norm(other)
            for other in style.reshape(len(style), -1).T
        ]
        total += mask[y, x] * (1 - max(cosines))
    return total / mask.sum()


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_feature_distance(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(features, "_CHUNK", chunk)
    content, style = random(1, 5, 6, 8), random(1, 5, 4, 7, seed=1) - 0.3
    mask = random(1, 1, 6, 8, seed=2) * (random(1, 1, 6, 8, seed=3) > 0.4)
    expected = by_hand(content[0].numpy(), mask[0, 0].numpy(), style[0].numpy())
    assert feature_distance(content, mask, style) == pytest.approx(expected)


def test_feature_distance_by_pencil() -> None:
    """Cells along the axes and between them: the nearest is at 0, 45 and 90 degrees."""
    content = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 4.0]])[None, :, None]
    style = torch.tensor([[3.0], [0.0], [0.0]])[None, :, None]
    mask = torch.tensor([1.0, 0.5, 0.25])[None, None, None]
    expected = (0.5 * (1 - 0.5**0.5) + 0.25) / 1.75
    assert feature_distance(content, mask, style) == pytest.approx(expected)


@FEW
@given(seed=st.integers(0, 99), gain=st.floats(0.01, 100))
def test_the_features_of_the_object_itself_are_near(seed: int, gain: float) -> None:
    """In any order, of any contrast, and among any others."""
    content = random(1, 4, 5, 5, seed=seed)
    order = np.random.default_rng(seed).permutation(25)
    own = gain * content.flatten(2)[..., order]
    style = torch.cat([own, random(1, 4, 9, seed=seed + 1)], dim=2)[:, :, None]
    mask = random(1, 1, 5, 5, seed=seed + 2)
    assert feature_distance(content, mask, style) == pytest.approx(0, abs=1e-9)


def test_cells_outside_of_the_object_do_not_count() -> None:
    content, style = random(1, 4, 6, 6), random(1, 4, 5, 5, seed=1)
    mask = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    mask[..., :3, :] = 1
    other = content.clone()
    other[..., 3:, :] = -5
    assert feature_distance(content, mask, style) == feature_distance(other, mask, style)


def test_no_object_and_no_features_are_no_error() -> None:
    content, style = random(1, 4, 6, 6), random(1, 4, 5, 5)
    assert feature_distance(content, torch.zeros(1, 1, 6, 6), style) == 0
    assert feature_distance(content, torch.ones(1, 1, 6, 6), torch.zeros_like(style)) == 1
