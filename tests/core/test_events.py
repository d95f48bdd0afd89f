"""What a run tells its observers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from instyle_core import events
from instyle_core.cli import render
from instyle_core.events import Download, Event, Finished, Note, Stage, StageStarted, Step, ignore


def step(**changes: Any) -> Step:
    return replace(
        Step(
            0, 1, 4, (8, 8), (0, 0, 8, 8), {"content": 2.0}, 2.0, None, lambda: torch.zeros(3, 8, 8)
        ),
        **changes,
    )


def test_the_type_of_events_names_every_event() -> None:
    """An observer that knows each of them has seen all."""
    own = (thing for thing in vars(events).values() if is_dataclass(thing))
    assert {kind for kind in own if kind.__module__ == events.__name__} == {*get_args(Event)}


def test_the_terminal_has_words_for_every_stage() -> None:
    assert {*get_args(Stage)} == {*render._STAGES}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (StageStarted("read"), "stage"),
        (Download("net", 1, None), "done"),
        (Note("a"), "message"),
        (Finished("finished", Path("a.png"), Path("a.png.run"), 1.0), "status"),
        (step(), "total"),
    ],
)
def test_an_observer_cannot_change_what_others_see(event: Event, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(event, field, "other")


def test_the_picture_of_a_step_is_made_only_when_it_is_asked_for() -> None:
    def refuse() -> Tensor:
        raise AssertionError("it was made")

    one, other = step(picture=refuse), step()
    assert one == other
    assert "picture" not in repr(one)
    assert one != step(total=3.0)
    with pytest.raises(AssertionError, match="it was made"):
        one.picture()


def test_nothing_happens_where_nobody_looks() -> None:
    assert ignore(Note("a")) is None
