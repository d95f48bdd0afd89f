"""An optimization that is interrupted and resumed takes the steps of an unbroken one."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.interrupts import AtOnce
from instyle_core.optimization.optimize import OptimizationState, Outcome, Progress, optimize
from instyle_core.optimization.schedule import scale_steps
from instyle_core.runs.state import RunState, dump_state, load_state
from instyle_core.testing import picture


class Dicey:
    """A problem that draws random numbers as its scale is prepared and at every evaluation."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.target = torch.rand(3, *size)

    def enter(self, start: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(start[None], self.size)[0].clone()

    def compose(self, pixels: Tensor) -> Tensor:
        return pixels.clone()

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        grain = 0.1 * torch.rand_like(pixels.detach())
        return {
            "near": (pixels - self.target - grain).square().mean(),
            "smooth": pixels.diff(dim=2).abs().mean(),
        }


SIZES = [(3, 4), (6, 5), (12, 9)]
Told = list[tuple[int, Size, dict[str, float]]]


def solve(
    solver: Adam | LBFGS,
    scales: int,
    stop_at: int | None = None,
    resume_from: OptimizationState | None = None,
    scale_at: Callable[[Size], Dicey] = Dicey,
) -> tuple[Outcome, Told]:
    """The outcome, and what was told of each step."""
    told: Told = []

    def on_step(progress: Progress) -> None:
        told.append((progress.step, progress.size, dict(progress.terms)))
        assert progress.steps == solver.steps
        if progress.step == stop_at:
            raise KeyboardInterrupt

    start = picture(7, 8, seed=1)
    return optimize(scale_at, SIZES[-scales:], start, solver, on_step, resume_from), told


def through_a_file(state: OptimizationState, folder: Path) -> OptimizationState:
    """The state as another process reads it."""
    data = dump_state(RunState(0, [], state.random, state))
    path = folder / "state.pt"
    path.write_bytes(data)
    read = load_state(path, hashlib.sha256(data).hexdigest(), "cpu").optimization
    assert read is not None
    return read


def assert_same_pictures(one: Outcome, other: Outcome) -> None:
    assert (one.status, one.reason) == (other.status, other.reason)
    assert one.picture is not None
    assert other.picture is not None
    assert torch.equal(one.picture, other.picture)


@given(data=st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_any_interruptions_of_an_optimization_change_nothing(
    data: st.DataObject, tmp_path: Path
) -> None:
    steps = data.draw(st.integers(1, 14), "steps")
    scales = data.draw(st.integers(1, 3), "scales")
    adam = Adam(steps=steps, learning_rate=0.05, weight_decay=0.01)
    solver = data.draw(st.sampled_from([adam, LBFGS(steps=steps, history=3)]), "solver")
    stops = data.draw(st.lists(st.integers(1, steps), max_size=4, unique=True).map(sorted), "stops")

    torch.manual_seed(5)
    expected, expected_told = solve(solver, scales)
    torch.manual_seed(5)
    told: Told = []
    state: OptimizationState | None = None
    for stop in stops:
        outcome, more = solve(solver, scales, stop, state)
        told += more
        assert outcome.status == "interrupted"
        assert outcome.state is not None
        assert outcome.state.steps == stop
        state = through_a_file(outcome.state, tmp_path)
        torch.manual_seed(77)  # another process stands elsewhere
    outcome, more = solve(solver, scales, None, state)
    assert told + more == expected_told
    assert outcome.state is None
    assert_same_pictures(outcome, expected)


@pytest.mark.parametrize("solver", [Adam(steps=9), LBFGS(steps=9)])
def test_a_state_can_be_resumed_from_more_than_once(solver: Adam | LBFGS) -> None:
    state = solve(solver, 2, 6)[0].state
    first, told = solve(solver, 2, None, state)
    again, told_again = solve(solver, 2, None, state)
    assert [step for step, *_ in told] == [7, 8, 9]
    assert told == told_again
    assert_same_pictures(first, again)


# --- between two scales ---------------------------------------------------------------------------

each_solver = pytest.mark.parametrize(
    "solver",
    [Adam(steps=12, weight_decay=0.01), LBFGS(steps=12, history=3)],
    ids=["adam", "lbfgs"],
)
each_size = pytest.mark.parametrize("size", SIZES[1:], ids=str)


#: Where each size begins, of twelve steps: the sums of 4, 2 and 6.
BEGINS = dict(zip(SIZES, (0, 4, 6), strict=True))


def assert_the_rest_is_the_same(
    solver: Adam | LBFGS,
    size: Size,
    folder: Path,
    stop_at: int | None = None,
    scale_at: Callable[[Size], Dicey] = Dicey,
) -> None:
    """An interrupt at the beginning of a size, and what goes on from there, changes nothing.

    Goes on from the state in memory, from a file, and once more.
    """
    assert scale_steps(12, 3) == [4, 2, 6]
    torch.manual_seed(5)
    expected, told = solve(solver, 3)
    torch.manual_seed(5)
    outcome, before = solve(solver, 3, stop_at, None, scale_at)
    state = outcome.state
    assert state is not None
    assert state.steps == BEGINS[size]
    assert state.scale is None
    assert (state.momentum is not None) == isinstance(solver, Adam)
    assert before[: state.steps] == told[: state.steps]
    for stands in (state, through_a_file(state, folder), state):
        torch.manual_seed(77)  # another process stands elsewhere
        outcome, after = solve(solver, 3, None, stands)
        assert after == told[state.steps :]
        assert_same_pictures(outcome, expected)


@each_solver
@each_size
def test_after_the_last_step_of_a_scale(solver: Adam | LBFGS, size: Size, tmp_path: Path) -> None:
    assert_the_rest_is_the_same(solver, size, tmp_path, stop_at=BEGINS[size])


@each_solver
@each_size
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, AtOnce])
def test_while_a_scale_is_prepared(
    solver: Adam | LBFGS, size: Size, interrupt: type[BaseException], tmp_path: Path
) -> None:
    def scale_at(now: Size) -> Dicey:
        scale = Dicey(now)
        if now == size:
            raise interrupt
        return scale

    assert_the_rest_is_the_same(solver, size, tmp_path, scale_at=scale_at)


@each_solver
@each_size
@pytest.mark.parametrize("evaluations", [0, 1])
def test_within_a_step(solver: Adam | LBFGS, size: Size, evaluations: int, tmp_path: Path) -> None:
    """What is resumed is the scale from its beginning, with what the one before handed on."""
    left = iter(range(evaluations, -1, -1))

    class Interrupted(Dicey):
        def terms(self, pixels: Tensor) -> dict[str, Tensor]:
            if self.size == size and next(left) == 0:
                raise KeyboardInterrupt
            return super().terms(pixels)

    assert_the_rest_is_the_same(solver, size, tmp_path, scale_at=Interrupted)


# --- divergence -----------------------------------------------------------------------------------


def test_an_explosion_is_measured_by_the_steps_before_the_interrupt() -> None:
    class Rising(Dicey):
        def terms(self, pixels: Tensor) -> dict[str, Tensor]:
            return {"high": pixels.sum() - pixels.sum().detach() + next(values)}

    def stop(progress: Progress) -> None:
        if progress.step == 12:
            raise KeyboardInterrupt

    solver = Adam(steps=40, learning_rate=0.001)
    values = itertools.chain([1.0] * 12, itertools.repeat(1e4))
    start = picture(7, 8, seed=1)
    state = optimize(Rising, SIZES[:1], start, solver, stop).state
    resumed = optimize(Rising, SIZES[:1], start, solver, lambda _: None, state)
    assert resumed.status == "diverged"
    assert "'high'" in resumed.reason
