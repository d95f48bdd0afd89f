"""Ctrl-C at any moment of a run: what is saved, and how it goes on."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from instyle_core import pipeline
from instyle_core.errors import InterruptedRun
from instyle_core.events import Event, Observer, StageStarted, Step
from tests.core.helpers.interrupted import (
    ADAM,
    L_BFGS,
    changes,
    finish,
    has_state,
    interrupt,
    record,
    results,
    unbroken,
)
from tests.core.helpers.studio import Studio, listing


def press(times: int, on: Callable[[Event], bool]) -> Observer:
    """An observer that presses Ctrl-C."""

    def on_event(event: Event) -> None:
        if on(event):
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return on_event


def pressing(monkeypatch: pytest.MonkeyPatch, loss: str, at: Sequence[int]) -> list[int]:
    """Ctrl-C within certain evaluations of a loss; the evaluations that came to their end."""
    import instyle_toy.parts

    made = getattr(instyle_toy.parts, loss)
    calls = itertools.count(1)
    ended: list[int] = []
    original = made.__call__

    def call(self: Any, view: Any) -> Tensor:
        number = next(calls)
        for _ in range(at.count(number)):
            signal.raise_signal(signal.SIGINT)
        value = original(self, view)
        ended.append(number)
        return value

    monkeypatch.setattr(made, "__call__", call)
    return ended


@pytest.mark.parametrize("optimizer", [ADAM, L_BFGS], ids=["adam", "lbfgs"])
def test_the_first_ctrl_c_lets_the_step_end(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, optimizer: dict[str, Any]
) -> None:
    plan = studio.plan(**changes(studio, {**optimizer, "scales": 2}))
    expected = unbroken(studio, plan)
    with monkeypatch.context() as patch:
        ended = pressing(patch, "Palette", [6])
        result = pipeline.run(plan)
    assert 6 in ended
    assert (result.status, result.resumable) == ("interrupted", True)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if optimizer is ADAM:  # a step of L-BFGS has several evaluations
        assert record(studio)["losses"]["object-1"]["step"] == 6
    finish(plan)
    assert results(studio) == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_stops_at_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = studio.plan()
    ended = pressing(monkeypatch, "Tint", [3, 3])
    result = pipeline.run(plan)
    assert ended == [1, 2]
    assert (result.status, result.resumable) == ("interrupted", False)
    assert (studio.output != studio.photo).any()
    assert not has_state(studio.folder / "out.png.run")
    assert record(studio)["state"] is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("at", "item", "step"),
    [
        (5, 0, 4),  # in the second scale of the first object
        (9, 0, 5),  # in the last one
        (12, 1, 0),  # in the first scale of the second object
    ],
)
def test_after_a_stop_at_once_it_goes_on_from_the_beginning_of_the_scale(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, at: int, item: int, step: int
) -> None:
    plan = studio.plan(**changes(studio, {**ADAM, "scales": 3}, snapshots=1))
    expected = unbroken(studio, plan)
    with monkeypatch.context() as patch:
        pressing(patch, "Dice", [at, at])
        result = pipeline.run(plan)
    assert (result.status, result.resumable) == ("interrupted", True)
    assert record(studio)["losses"][f"object-{item}"]["step"] == at - 1 - 10 * item
    finish(plan)
    assert results(studio) == expected
    assert record(studio)["resumed"] == [{"object": f"object-{item}", "step": step}]


def test_a_resumed_run_that_is_stopped_at_once_can_still_go_on(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    interrupt(plan, 0, 4)
    with monkeypatch.context() as patch:
        pressing(patch, "Dice", [3, 3])
        result = pipeline.run(plan, resume=True)
    assert (result.status, result.resumable) == ("interrupted", True)
    assert record(studio)["losses"]["object-0"]["step"] == 6
    finish(plan)
    assert results(studio) == expected
    resumed = {"object": "object-0", "step": 4}
    assert record(studio)["resumed"] == [resumed, resumed]


def test_two_at_once_while_observers_are_told(studio: Studio) -> None:
    """The second may come while a step is half told, so that nothing of it can be relied on."""
    plan = studio.plan()
    strike = press(2, lambda event: isinstance(event, Step) and event.step == 2)
    result = pipeline.run(plan, strike)
    assert (result.status, result.resumable) == ("interrupted", False)


@pytest.mark.parametrize("what", ["merging", "between the stages", "making losses"])
def test_ctrl_c_between_two_steps_of_different_objects(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)

    def at_merging(event: Event) -> bool:
        return isinstance(event, StageStarted) and (event.stage, event.item) == ("merge", 0)

    def at_painting(event: Event) -> bool:
        return isinstance(event, StageStarted) and (event.stage, event.item) == ("stylize", 1)

    if what == "making losses":
        from instyle_toy.parts import Palette

        made = Palette.__init__

        def strike(*given: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            made(*given)

        with monkeypatch.context() as patch:
            patch.setattr(Palette, "__init__", strike)
            result = pipeline.run(plan)
    else:
        result = pipeline.run(plan, press(1, at_merging if what == "merging" else at_painting))
    assert (result.status, result.resumable) == ("interrupted", True)
    step = {"merging": 0}.get(what, 1)  # what is begun is stopped after a step
    assert record(studio)["losses"].get("object-1", {"step": 0})["step"] == step
    assert (studio.folder / "out.png.run" / "object-1").exists() == bool(step)
    finish(plan)
    assert results(studio) == expected


@pytest.mark.parametrize("stage", ["merge", "write"])
def test_ctrl_c_when_all_is_painted_has_nothing_left_to_stop(studio: Studio, stage: str) -> None:
    plan = studio.plan()
    expected = unbroken(studio, plan)
    strike = press(1, lambda event: isinstance(event, StageStarted) and event.stage == stage)
    assert pipeline.run(plan, strike).status == "finished"
    assert results(studio) == expected


@pytest.mark.parametrize("stage", ["merge", "write"])
def test_two_when_all_is_painted_stop_it_and_nothing_is_written(studio: Studio, stage: str) -> None:
    plan = studio.plan()
    before = listing(studio.folder)
    strike = press(2, lambda event: isinstance(event, StageStarted) and event.stage == stage)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(plan, strike)
    assert listing(studio.folder) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_while_the_best_so_far_is_saved_does_not_lose_it(studio: Studio) -> None:
    plan = studio.plan()
    expected = unbroken(studio, plan)

    def strike(event: Event) -> None:
        painting = isinstance(event, Step) and event.step == 2
        if painting or (isinstance(event, StageStarted) and event.stage == "write"):
            signal.raise_signal(signal.SIGINT)

    result = pipeline.run(plan, strike)
    assert (result.status, result.resumable) == ("interrupted", True)
    finish(plan)
    assert results(studio) == expected


# --- interrupted before it goes on ----------------------------------------------------------------


@pytest.mark.parametrize("stage", ["read", "load", "segment"])
def test_interrupted_before_it_goes_on_nothing_changes(studio: Studio, stage: str) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    interrupt(plan, 1, 4)
    before = listing(studio.folder)
    strike = press(1, lambda event: isinstance(event, StageStarted) and event.stage == stage)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(plan, strike, resume=True)
    assert listing(studio.folder) == before
    finish(plan)
    assert results(studio) == expected


def test_interrupted_before_the_first_step_there_is_nothing_to_resume(studio: Studio) -> None:
    with pytest.raises(InterruptedRun):
        studio.run(losses=[{"use": "fault", "kind": "interrupt"}])
    assert not (studio.folder / "out.png.run").exists()


def test_interrupted_within_the_first_step_after_it_went_on(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    interrupt(plan, 1, 4)
    best = studio.output

    def prepare(*_: object) -> None:
        raise KeyboardInterrupt

    from instyle_toy.parts import Dice

    with monkeypatch.context() as patch:
        patch.setattr(Dice, "prepare", prepare)
        result = pipeline.run(plan, resume=True)
    assert (result.status, result.resumable) == ("interrupted", True)
    np.testing.assert_array_equal(studio.output, best)
    finish(plan)
    assert results(studio) == expected
