"""The minimum cut, against every labeling there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instyle_mergers.graph_cut import minimum_cut

Grid = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


def grid(height: int, width: int, seed: int, weight: float) -> Grid:
    """Random costs, and random weights between 8 neighbors, of which some are 0."""
    rng = np.random.default_rng(seed)
    places = list(np.ndindex(height, width))
    pairs = [
        (a, b)
        for (a, (y, x)), (b, (v, u)) in itertools.combinations(enumerate(places), 2)
        if max(abs(y - v), abs(x - u)) == 1
    ]
    weights = weight * rng.random(len(pairs)) * (rng.random(len(pairs)) > 0.2)
    costs = rng.normal(size=(2, len(places)))
    return costs, np.array(pairs, dtype=np.int64).reshape(-1, 2), weights


def energy(labels: NDArray[np.bool_], parts: Grid) -> float:
    costs, pairs, weights = parts
    total = 0.0
    for node, label in enumerate(labels):
        total += costs[int(label), node]
    for (a, b), weight in zip(pairs, weights, strict=True):
        total += weight * (labels[a] != labels[b])
    return total


def least(parts: Grid) -> float:
    """The least energy over all labelings."""
    costs, pairs, weights = parts
    count = costs.shape[1]
    every = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    energies = costs[0].sum() + every @ (costs[1] - costs[0])
    for (a, b), weight in zip(pairs, weights, strict=True):
        energies += weight * (every[:, a] != every[:, b])
    return float(energies.min())


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_grid_that_can_be_listed(seed: int) -> None:
    parts = grid(4, 4, seed, weight=0.4)
    labels = minimum_cut(*parts)
    assert 0 < labels.sum() < 16  # the random costs leave something to choose
    assert energy(labels, parts) == pytest.approx(least(parts), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([0, 0.1, 1, 1e6])
)
def test_no_labeling_is_better(height: int, width: int, seed: int, weight: float) -> None:
    parts = grid(height, width, seed, weight)
    found = energy(minimum_cut(*parts), parts)
    scale = max(np.abs(parts[0]).max(), parts[2].max(initial=0))
    assert found == pytest.approx(least(parts), abs=1e-6 * scale)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_unit_of_energy_does_not_matter(scale: float) -> None:
    costs, pairs, weights = grid(4, 4, seed=7, weight=1.0)
    expected = minimum_cut(costs, pairs, weights)
    np.testing.assert_array_equal(minimum_cut(costs * scale, pairs, weights * scale), expected)


def test_a_chain_breaks_at_its_weakest_link() -> None:
    costs = np.zeros((2, 10))
    costs[1, 0] = costs[0, 9] = 100
    pairs = np.stack([np.arange(9), np.arange(1, 10)], axis=1)
    weights = np.array([5, 4, 6, 3, 2, 7, 9, 8, 5], dtype=float)
    assert minimum_cut(costs, pairs, weights).tolist() == [False] * 5 + [True] * 5


def test_ties_go_to_label_0() -> None:
    costs, pairs = np.zeros((2, 4)), np.array([[0, 1], [1, 2], [2, 3]])
    assert not minimum_cut(costs, pairs, np.ones(3)).any()
    assert not minimum_cut(costs, pairs, np.zeros(3)).any()


def test_a_single_node_takes_the_cheaper_label() -> None:
    none = np.empty((0, 2), dtype=np.int64), np.empty(0)
    assert minimum_cut(np.array([[2.0], [1.0]]), *none).tolist() == [True]
    assert minimum_cut(np.array([[1.0], [2.0]]), *none).tolist() == [False]
