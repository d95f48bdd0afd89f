"""The optimization loop, on problems whose answers are known."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import Progress, optimize
from instyle_core.optimization.schedule import scale_steps
from instyle_core.testing import picture
from tests.core.helpers.objectives import SIZE, Toy, adam, follow, solve, steady
from tests.core.helpers.pictures import FEW

# --- scales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [adam(7), LBFGS(steps=7)])
def test_steps_are_counted_over_all_scales_from_coarse_to_fine(settings: Adam | LBFGS) -> None:
    sizes = [(3, 4), (6, 5), (12, 10)]
    seen: list[Progress] = []
    solve({"a": steady}, settings, seen.append, sizes)
    assert [progress.step for progress in seen] == list(range(1, 8))
    assert {progress.steps for progress in seen} == {7}
    done = [[p.size for p in seen].count(size) for size in sizes]
    assert done == scale_steps(7, 3)
    assert [p.size for p in seen] == sorted(p.size for p in seen)
    assert [tuple(p.picture().shape) for p in seen] == [(3, *p.size) for p in seen]


def test_fewer_steps_than_scales_are_done_at_the_finest() -> None:
    seen: list[Progress] = []
    made: list[Size] = []

    def scale_at(size: Size) -> Toy:
        made.append(size)
        return Toy({"a": steady}, size)

    sizes = [(3, 4), (4, 4), (6, 5)]
    outcome = optimize(scale_at, sizes, picture(*SIZE), adam(1), seen.append)
    assert made == [(6, 5)]
    assert [progress.size for progress in seen] == [(6, 5)]
    assert outcome.picture is not None
    assert outcome.picture.shape == (3, 6, 5)


def test_each_scale_starts_from_the_best_of_the_one_before() -> None:
    starts: list[Tensor] = []

    class Watched(Toy):
        def enter(self, start: Tensor) -> Tensor:
            starts.append(start)
            return super().enter(start)

    # The best of the coarse scale is its second evaluation; later ones are worse.
    values = iter([3.0, 1.0, 2.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    pictures: list[Tensor] = []
    optimize(
        lambda size: Watched({"a": follow(values)}, size),
        [SIZE, (12, 10)],
        picture(*SIZE),
        adam(6),
        lambda progress: pictures.append(progress.picture()),
    )
    assert len(starts) == 2
    assert torch.equal(starts[0], picture(*SIZE))
    assert torch.equal(starts[1], pictures[0])  # what the second evaluation saw


# --- minima ---------------------------------------------------------------------------------------

SOLVERS = [adam(400, 0.02), LBFGS(steps=25)]


@pytest.mark.parametrize("settings", SOLVERS, ids=["adam", "lbfgs"])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e4])
def test_the_minimum_of_two_quadratics_is_their_weighted_mean(
    settings: Adam | LBFGS, scale: float
) -> None:
    # Large pictures have tiny gradients, as losses are means; they must be followed all the same.
    p, q = picture(*SIZE, seed=1), picture(*SIZE, seed=2)
    terms = {
        "p": lambda image: scale * 3 * (image - p).square().mean(),
        "q": lambda image: scale * (image - q).square().mean(),
    }
    outcome = solve(terms, settings)
    assert outcome.status == "finished"
    assert outcome.reason == ""
    assert outcome.picture is not None
    expected = (3 * p + q) / 4
    assert (outcome.picture - expected)[:, 1:].abs().max() < 2e-3


@pytest.mark.parametrize("settings", SOLVERS, ids=["adam", "lbfgs"])
def test_pixels_stay_in_range(settings: Adam | LBFGS) -> None:
    target = torch.linspace(-1, 2, 5).expand(3, *SIZE)
    outcome = solve({"a": lambda image: (image - target).square().mean()}, settings)
    assert outcome.picture is not None
    assert (outcome.picture - target.clamp(0, 1))[:, 1:].abs().max() < 2e-3
    assert outcome.picture.min() >= 0
    assert outcome.picture.max() <= 1


@pytest.mark.parametrize("settings", [adam(9, 0.3, weight_decay=1.0), LBFGS(steps=5)])
def test_background_pixels_never_move(settings: Adam | LBFGS) -> None:
    pictures: list[Tensor] = []
    terms = {"a": lambda image: image.square().mean()}
    outcome = solve(terms, settings, lambda progress: pictures.append(progress.picture()))
    background = picture(*SIZE, seed=9)
    assert outcome.picture is not None
    for image in [*pictures, outcome.picture]:
        assert torch.equal(image[:, 0], background[:, 0])
        assert not torch.equal(image[:, 1:], background[:, 1:])


# --- the best so far ------------------------------------------------------------------------------


@FEW
@given(values=st.lists(st.floats(1, 100, width=32), min_size=1, max_size=9))
def test_the_best_so_far_is_the_best(values: list[float]) -> None:
    # With a slope of 1, Adam moves every pixel by the learning rate at each step.
    outcome = solve({"a": follow(iter(values))}, adam(len(values), 0.001))
    best = values.index(min(values))
    assert outcome.status == "finished"
    assert outcome.picture is not None
    expected = picture(*SIZE) - 0.001 * best
    assert (outcome.picture - expected)[:, 1:].abs().max() < 1e-5


def test_progress_has_the_terms_and_the_picture_as_it_stands() -> None:
    values = [5.0, 3.0, 4.0]
    seen: list[tuple[Mapping[str, float], float]] = []

    def on_step(progress: Progress) -> None:
        seen.append((progress.terms, float((picture(*SIZE) - progress.picture())[:, 1:].mean())))

    solve({"a": follow(iter(values)), "b": lambda x: 0 * x.sum() + 2}, adam(3, 0.001), on_step)
    assert [terms for terms, _ in seen] == [{"a": value, "b": 2.0} for value in values]
    assert [moved for _, moved in seen] == pytest.approx([0.001, 0.002, 0.003], abs=1e-6)


# --- the learning rate ----------------------------------------------------------------------------


def moves(settings: Adam, slope: float = 1.0) -> list[float]:
    """How far each step moves a pixel, down a slope that is always the same."""
    seen: list[float] = []

    def watch(progress: Progress) -> None:
        seen.append(float(progress.picture()[0, 3, 3]))

    start = torch.full((3, *SIZE), 0.6)
    optimize(
        lambda size: Toy({"slope": lambda image: slope * image.sum() + 100}, size),
        [SIZE],
        start,
        settings,
        watch,
    )
    return [a - b for a, b in itertools.pairwise([0.6, *seen])]


def test_the_learning_rate_falls_after_the_step_that_is_named() -> None:
    # Adam's steps down a constant slope are as long as its learning rate.
    settings = adam(6, 0.05, drop={"after": 4, "to": 0.01})
    assert moves(settings) == pytest.approx([0.05] * 4 + [0.01] * 2, rel=1e-4)


def test_the_learning_rate_falls_to_0_over_the_last_steps() -> None:
    settings = adam(6, 0.05, decay=0.5)
    assert moves(settings) == pytest.approx([0.05] * 4 + [0.05 * 2 / 3, 0.05 / 3], rel=1e-4)


def test_a_drop_counts_the_steps_of_all_scales() -> None:
    seen: list[float] = []

    def watch(progress: Progress) -> None:
        seen.append(float(progress.picture()[0, -1, -1]))

    settings = adam(10, 0.02, drop={"after": 8, "to": 0.001})
    sizes = [(3, 3), SIZE]
    optimize(
        lambda size: Toy({"slope": steady}, size),
        sizes,
        torch.full((3, *SIZE), 0.6),
        settings,
        watch,
    )
    steps = [a - b for a, b in itertools.pairwise(seen)]
    last = [step for step in steps if step > 0][-2:]
    assert last == pytest.approx([0.001] * 2, rel=1e-3)


# --- stopping where it is flat --------------------------------------------------------------------


def taken(values: Sequence[float], tolerance: float, sizes: Sequence[Size] = (SIZE,)) -> Any:
    """The numbers of the steps that are taken for an objective with these values, and the end."""
    steps: list[int] = []
    result = solve(
        {"values": follow(iter(values))},
        adam(len(values), tolerance=tolerance),
        lambda progress: steps.append(progress.step),
        sizes,
    )
    return steps, result


@FEW
@given(
    falls=st.lists(st.sampled_from([0.0, 1e-4, 1e-3, 1e-2, -0.05]), min_size=25, max_size=60),
    tolerance=st.sampled_from([0.0, 1e-3, 1e-2, 0.1]),
)
def test_it_stops_where_the_best_of_twenty_steps_before_is_hardly_worse(
    falls: list[float], tolerance: float
) -> None:
    values = list(itertools.accumulate(falls, lambda value, fall: value * (1 - fall), initial=8.0))
    expected = len(values)
    for count in range(21, len(values)):
        now, before = min(values[:count]), min(values[: count - 20])
        # Float32 has the values but to 1e-7.
        close = abs((before - now) - tolerance * before) < 1e-5
        if close:
            return
        if before - now < tolerance * before:
            expected = count
            break
    steps, result = taken(values, tolerance)
    assert steps == list(range(1, expected + 1))
    assert result.status == "finished"
    assert result.flat == (() if expected == len(values) else (expected,))


def test_each_scale_begins_at_its_own_step_however_soon_the_one_before_was_flat() -> None:
    steps, result = taken([1.0] * 100, 1e-3, [(3, 3), SIZE])
    budget = scale_steps(100, 2)
    assert steps == [*range(1, 22), *range(budget[0] + 1, budget[0] + 22)]
    assert result.flat == (21, budget[0] + 21)


def test_without_a_tolerance_all_steps_are_taken() -> None:
    steps, result = taken([1.0] * 40, 0.0)
    assert steps == list(range(1, 41))
    assert result.flat == ()
