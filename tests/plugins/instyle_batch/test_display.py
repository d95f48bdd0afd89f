"""What a batch shows: lines in a log, bars on a terminal, a table at the end."""

from __future__ import annotations

import pytest

from instyle_batch import display as module
from instyle_batch.display import Display
from instyle_batch.job import Job, Outcome, Status


def outcome(name: str, status: Status = "done", **more: object) -> Outcome:
    return Outcome(Job(name, f"/{name}"), status, 2.0, **more)  # type: ignore[arg-type]


def test_a_line_for_each_photo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 30.0, 60.0, 60.0, 120.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with Display() as display:
        display.ended(outcome("a.png"), 1, 4)
        display.ended(outcome("b.png", "failed", reason="[red]it is broken"), 2, 4)
        display.ended(outcome("c.png", "skipped"), 3, 4)
        display.ended(outcome("d.png", notes=("a note",)), 4, None)
    assert capsys.readouterr().err.splitlines() == [
        "1 of 4  2.0 photos a minute  1:30 left: a.png done in 2.0 s",
        "failed: b.png: [red]it is broken",
        "4  1.0 photos a minute: d.png done in 2.0 s",
        "note: d.png: a note",
    ]


def test_the_table_has_not_all_of_many(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    rows = [outcome("c.png", "failed", reason="why"), outcome("a.png"), outcome("b.png")]
    Display().table(rows, "the end")
    shown = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert shown == [
        ["photo", "seconds", "reason"],
        ["c.png", "failed", "2.0", "why"],
        ["a.png", "done", "2.0"],
        ["and", "1", "more"],
        ["the", "end"],
    ]


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=True) as display:
        display(Job("a.png", "/a.png"), None)
        display.ended(outcome("a.png", "failed", reason="why"), 1, 1)
    assert capsys.readouterr().err == ""


def test_a_photo_that_another_batch_has_is_not_under_way_any_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    display = Display()
    job = Job("a.png", "/a.png")
    display(job, None)
    display.ended(outcome("a.png", "busy"), 0, 2)
    display(Job("b.png", "/b.png"), None)
    assert display._progress.tasks[1].description == "b.png"
    assert capsys.readouterr().err == ""
