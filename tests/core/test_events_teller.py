"""The teller: who is told of what, and which object an error is said to be about."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from instyle_core.errors import InputError, InstyleError
from instyle_core.events import Event, Note, StageFinished, StageStarted, Teller, ignore


def stages(events: list[Event]) -> list[tuple[str, str, int | None]]:
    """Which stages were started and finished, of which object."""
    return [
        (type(event).__name__, event.stage, event.item)
        for event in events
        if isinstance(event, StageStarted | StageFinished)
    ]


# --- observers ------------------------------------------------------------------------------------


def test_every_observer_is_told_of_everything_in_order() -> None:
    told: list[tuple[str, Event]] = []
    tell = Teller(
        lambda event: told.append(("first", event)), lambda event: told.append(("second", event))
    )
    notes = [Note("a"), Note("b")]
    for note in notes:
        tell(note)
    assert told == [(who, note) for note in notes for who in ("first", "second")]


def test_an_observer_may_stop_the_run() -> None:
    """As Ctrl-C does; those after it are not told."""
    told: list[Event] = []

    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Teller(stop, told.append)(Note("a"))
    assert told == []


def test_without_an_observer_nothing_happens() -> None:
    Teller()(Note("a"))
    Teller(ignore)(Note("a"))


# --- stages ---------------------------------------------------------------------------------------


def test_a_stage_is_told_when_it_begins_and_when_it_is_done() -> None:
    events: list[Event] = []
    tell = Teller(events.append, items=3)
    with tell.stage("segment", 1):
        assert events == [StageStarted("segment", 1, 3)]
        tell(Note("between"))
    assert stages(events) == [("StageStarted", "segment", 1), ("StageFinished", "segment", 1)]
    assert events[1] == Note("between")


def test_a_stage_tells_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.5])
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr("instyle_core.events.time", clock)
    events: list[Event] = []
    with Teller(events.append).stage("read"):
        pass
    assert events[-1] == StageFinished("read", None, 2.5)


@pytest.mark.parametrize(("items", "told"), [(0, 1), (1, 1), (2, 2)])
def test_a_whole_picture_counts_as_one_object(items: int, told: int) -> None:
    events: list[Event] = []
    with Teller(events.append, items=items).stage("merge", 0):
        pass
    assert events[0] == StageStarted("merge", 0, told)


def test_a_stage_that_fails_is_not_told_to_be_done() -> None:
    events: list[Event] = []
    with pytest.raises(ZeroDivisionError), Teller(events.append).stage("merge", 0):
        raise ZeroDivisionError
    assert stages(events) == [("StageStarted", "merge", 0)]


# --- what an error is about -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "where", "expected"),
    [
        (2, None, "objects.2"),
        (0, None, "objects.0"),
        (2, "mask.png", "mask.png"),  # it knows better
        (None, None, None),  # the whole picture, or a stage of no object
        (None, "photo.png", "photo.png"),
    ],
)
def test_an_error_is_about_the_object_of_its_stage(
    item: int | None, where: str | None, expected: str | None
) -> None:
    error = InputError("it is missing", where=where, hint="add it")
    with pytest.raises(InputError) as caught, Teller().stage("segment", item):
        raise error
    assert caught.value is error
    assert (error.what, error.where, error.hint) == ("it is missing", expected, "add it")


def test_of_stages_in_each_other_the_inner_one_knows() -> None:
    tell = Teller()
    with pytest.raises(InstyleError) as caught, tell.stage("stylize", 0), tell.stage("merge", 1):
        raise InstyleError("it broke")
    assert caught.value.where == "objects.1"


def test_an_error_of_another_kind_is_left_alone() -> None:
    error = ValueError("it broke")
    with pytest.raises(ValueError, match="it broke") as caught, Teller().stage("merge", 1):
        raise error
    assert caught.value is error
    assert not hasattr(error, "where")
