"""One photo: what comes of it, and what is told."""

from __future__ import annotations

import json

import pytest

from instyle_batch.locks import Locks
from instyle_batch.photo import in_words, paint
from instyle_core import InputError, SpecError
from instyle_core.events import Event, Step
from tests.plugins.instyle_batch.conftest import Batch
from tests.plugins.instyle_batch.test_locks import hold


def test_it_is_painted_and_told(batch: Batch) -> None:
    (job,) = batch.jobs("inner/a.png")
    events: list[Event] = []
    outcome = paint(job, batch.task(), events.append)
    assert (outcome.job, outcome.status, outcome.reason) == (job, "done", "")
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4]
    assert (batch.output / "inner" / "a.png").is_file()
    assert (batch.output / "inner" / "a.png.run" / "run.json").is_file()
    assert (batch.output / ".instyle-batch" / "pairs" / "inner" / "a.png.jpg").is_file()
    assert paint(job, batch.task()).status == "skipped"
    assert paint(job, batch.task(again=True)).status == "done"


def test_another_process_has_it(batch: Batch) -> None:
    (job,) = batch.jobs("a.png")
    folder = batch.output / ".instyle-batch"
    folder.mkdir(parents=True)
    other = hold(folder / "lock", "a.png")
    assert paint(job, batch.task()).status == "busy"
    assert batch.pictures() == set()
    other.communicate("")
    assert paint(job, batch.task()).status == "done"


def test_a_drive_without_locks_is_told(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = batch.jobs("a.png")
    monkeypatch.setattr(Locks, "_lock", lambda self, place: setattr(self, "work", False) or True)
    outcome = paint(job, batch.task())
    assert outcome.status == "done"
    assert [note for note in outcome.notes if "this drive has no locks" in note]


def test_a_missing_small_picture_is_made_of_what_is_done(batch: Batch) -> None:
    (job,) = batch.jobs("a.png")
    paint(job, batch.task())
    pair = batch.output / ".instyle-batch" / "pairs" / "a.png.jpg"
    before = pair.read_bytes()
    pair.unlink()
    assert paint(job, batch.task()).status == "skipped"
    assert pair.read_bytes() == before


def test_assignments_and_devices(batch: Batch) -> None:
    (job,) = batch.jobs("a.png")
    task = batch.task(assignments=("seed=3", "optimizer.steps=2"), device="cpu")
    assert paint(job, task).status == "done"
    record = json.loads((batch.output / "a.png.run" / "run.json").read_text())
    assert (record["spec"]["seed"], record["spec"]["optimizer"]["steps"]) == (3, 2)
    assert record["spec"]["device"] == "cpu"


def test_an_output_that_cannot_be_made(batch: Batch) -> None:
    (job,) = batch.jobs("inner/a.png")
    batch.output.mkdir()
    (batch.output / "inner").write_text("in the way")
    outcome = paint(job, batch.task())
    assert outcome.status == "failed"
    assert str(batch.output / "inner") in outcome.reason


def test_in_words() -> None:
    one = InputError("it is wrong", where="spec.yaml:3", hint="mend it")
    other = InputError("so is this")
    assert in_words(one) == "spec.yaml:3: it is wrong (mend it)"
    assert in_words(SpecError([one, other])) == "spec.yaml:3: it is wrong (mend it); so is this"
