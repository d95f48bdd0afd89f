"""The time that is left, on machines whose speed is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instyle_core.events import Step
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.schedule import Level, schedule
from instyle_core.optimization.time_left import OVERHEAD, PREPARATION, RECENT, TimeLeft
from tests.core.helpers.interrupted import ADAM, changes
from tests.core.helpers.studio import Studio

Objects = Sequence[Sequence[Level]]


@dataclass
class Machine:
    """One that takes some seconds a pixel, and as long as for `overhead` pixels besides.

    Attributes:
        preparation: of a size, in steps at that size.
        now: what its clock shows.
    """

    seconds: float = 1e-6
    overhead: float = OVERHEAD
    preparation: float = PREPARATION
    now: float = 1e5

    def step(self, size: Size) -> float:
        return self.seconds * (size[0] * size[1] + self.overhead)

    def work(self, levels: Sequence[Level], done: int = 0) -> Iterator[tuple[int, float]]:
        """The steps that are left of an object, and the seconds that each takes."""
        begins = 0
        for level in levels:
            prepared = 0.0
            for step in range(max(begins, done) + 1, begins + level.steps + 1):
                yield step, self.step(level.size) * (1 + self.preparation * (not prepared))
                prepared = 1
            begins += level.steps


def run(
    machine: Machine, objects: Objects, index: int = 0, done: int = 0
) -> list[tuple[float | None, float]]:
    """What the clock tells after each step, and the truth: pairs, from a place on to the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instyle_core.optimization.time_left.time.monotonic", lambda: machine.now)
        clock = TimeLeft(objects)
        told, costs = [], []
        for number in range(index, len(objects)):
            machine.now += 777  # what comes before, such as merging
            clock.start()
            for step, cost in machine.work(objects[number], done if number == index else 0):
                machine.now += cost
                costs.append(cost)
                told.append(clock.tick(number, step))
    return [(one, sum(costs[step:])) for step, one in enumerate(told, 1)]


sizes = st.integers(160, 1024).flatmap(
    lambda side: st.tuples(st.just(side), st.integers(max(120, side // 2), side))
)
plans = st.lists(sizes, min_size=1, max_size=3).flatmap(
    lambda crops: st.integers(150, 300).map(
        lambda steps: [schedule(crop, "auto", steps) for crop in crops]
    )
)
#: The first steps are at the smallest size, where the overhead is most of their time: what it is
#: off by, up to a quarter, is told of all sizes until a second one is seen.
machines = st.builds(
    Machine,
    seconds=st.floats(1e-8, 1e-4),
    overhead=st.floats(0.8 * OVERHEAD, 1.25 * OVERHEAD),
    preparation=st.floats(0, 2),
)


def assert_close(told: list[tuple[float | None, float]]) -> None:
    left, truth = told[RECENT - 1]
    assert left == pytest.approx(truth, rel=0.25)
    times = [left for left, _ in told]
    nothing = times.count(None)
    assert 1 <= nothing <= 2  # it may go on with the last step of a size
    assert all(left and left > 0 for left in times[nothing:-1])
    assert told[-1][0] == 0


@given(objects=plans, machine=machines)
@settings(deadline=None)
def test_after_ten_steps_the_time_is_told_within_a_quarter(
    objects: Objects, machine: Machine
) -> None:
    assert_close(run(machine, objects))


@given(objects=plans, machine=machines, data=st.data())
@settings(deadline=None)
def test_so_it_is_of_a_run_that_goes_on_in_the_middle(
    objects: Objects, machine: Machine, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(objects) - 1), "object")
    steps = sum(level.steps for level in objects[index])
    done = data.draw(st.integers(0, steps - 2 * RECENT), "done")
    assert_close(run(machine, objects, index, done))


@given(
    crops=st.lists(st.tuples(st.integers(32, 99), st.integers(32, 99)), min_size=1, max_size=3),
    scales=st.integers(1, 4),
    steps=st.integers(1, 30),
)
@settings(deadline=None)
def test_on_the_machine_that_it_takes_for_granted_it_tells_the_truth(
    crops: list[Size], scales: int, steps: int
) -> None:
    objects = [schedule(crop, scales, steps) for crop in crops]
    told = run(Machine(), objects)
    begin = [step == 0 for levels in objects for level in levels for step in range(level.steps)]
    for number, (left, truth) in enumerate(told):
        if left is None:  # each step so far was the first one of its size
            assert all(begin[: number + 1])
        else:
            assert left == pytest.approx(truth, rel=1e-5)
    assert told[-1][0] == 0


@given(
    levels=st.lists(
        st.builds(Level, st.tuples(st.integers(1, 99), st.integers(1, 99)), st.integers(0, 9)),
        min_size=1,
        max_size=4,
    ),
    costs=st.lists(st.floats(0, 1e3), min_size=36, max_size=36),
)
@settings(deadline=None)
def test_it_is_never_negative_however_steps_take_their_time(
    levels: list[Level], costs: list[float]
) -> None:
    now, left = 0.0, list[float | None]([0.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instyle_core.optimization.time_left.time.monotonic", lambda: now)
        clock = TimeLeft([levels])
        for step, cost in enumerate(costs[: sum(level.steps for level in levels)], 1):
            now += cost
            left.append(clock.tick(0, step))
    assert all(one is None or one >= 0 for one in left)
    assert left[-1] == 0


def ticks(seconds: Sequence[float], monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """What is left of 100 steps of one size, of which the first ones take so long."""
    now = 0.0
    monkeypatch.setattr("instyle_core.optimization.time_left.time.monotonic", lambda: now)
    clock, left = TimeLeft([[Level((50, 50), 100)]]), []
    for step, cost in enumerate(seconds, 1):
        now += cost
        left.append(clock.tick(0, step))
    return left


def test_a_step_that_hangs_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Preparation is taken to be as long as a step.
    left = ticks([2.0, *[1.0] * 8, 5000.0, *[1.0] * 5], monkeypatch)
    assert left[0] is None
    assert left[1:] == pytest.approx([100 - step for step in range(2, 16)])


def test_a_first_step_that_takes_its_time_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    left = ticks([70.0, 1.0, 1.0], monkeypatch)
    assert left == [None, pytest.approx(98), pytest.approx(97)]


def test_it_keeps_to_the_steps_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    left = ticks([2.0, *[1.0] * 29, *[3.0] * RECENT], monkeypatch)
    assert left[29] == pytest.approx(70)
    assert left[-1] == pytest.approx(3 * 60)


@pytest.mark.parametrize("taken", [1, 4, 11])
def test_steps_that_a_flat_objective_saves_are_no_part_of_it(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, levels = Machine(preparation=1), [Level((40, 40), 12), Level((80, 80), 8)]
    monkeypatch.setattr("instyle_core.optimization.time_left.time.monotonic", lambda: machine.now)
    clock = TimeLeft([levels])
    for step, cost in machine.work(levels):
        if step <= taken or step > 12:
            machine.now += cost
            left = clock.tick(0, step)
            if step == 1 or (step == 13 and taken == 1):  # only steps that prepare a size so far
                assert left is None
            else:
                assert left == pytest.approx(sum(c for s, c in machine.work(levels) if s > step))


def test_events_tell_the_time_of_all_objects(studio: Studio) -> None:
    events = studio.events(**changes(studio, {**ADAM, "scales": 2}))
    steps = [event for event in events if isinstance(event, Step)]
    assert [event.item for event in steps] == [0] * 10 + [1] * 10
    assert steps[0].seconds_left is None
    assert all(event.seconds_left and event.seconds_left > 0 for event in steps[1:-1])
    assert steps[-1].seconds_left == 0
