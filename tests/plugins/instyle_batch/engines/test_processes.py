"""Several processes: all photos are painted once, whatever happens to one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from instyle_batch.engines import processes as module
from instyle_batch.engines.processes import Processes
from instyle_batch.job import Job, Outcome
from instyle_batch.work import Work
from tests.core.helpers.commands import start
from tests.plugins.instyle_batch.conftest import Batch

NAMES = tuple(f"{letter}.png" for letter in "abcde")


def run(batch: Batch, jobs: list[Job], on: dict[int, object] | None = None) -> list[Outcome]:
    """Carry out jobs with two workers; after so many outcomes, call what `on` says."""
    work, found = Work(jobs), []
    for outcome in Processes([None, "cpu"]).outcomes(work, batch.task(), lambda *_: None):
        work.ended(outcome)
        found.append(outcome)
        if on and (call := on.get(len(found))):
            call()  # type: ignore[operator]
    return found


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_one() -> None:
    os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)


@pytest.mark.parametrize("on", [None, {2: kill_one}], ids=["all live", "one is killed"])
def test_all_photos_are_painted_once(batch: Batch, on: dict[int, object] | None) -> None:
    outcomes = run(batch, batch.jobs(*NAMES), on)
    assert sorted(outcome.job.name for outcome in outcomes) == [*NAMES]
    # What was painted and not yet told when the other one died is skipped afterwards.
    assert {outcome.status for outcome in outcomes} <= ({"done", "skipped"} if on else {"done"})
    assert batch.pictures() == {*NAMES}


def test_a_job_that_kills_its_process_is_given_up(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_paint", die)
    monkeypatch.setattr(module, "TRIES", 2)
    outcomes = run(batch, batch.jobs("a.png", "b.png", "c.png"))
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "failed"]
    assert {outcome.reason for outcome in outcomes[1:]} == {
        "its process died 2 times, perhaps for want of memory"
    }


def test_closing_saves_what_is_under_way(batch: Batch) -> None:
    optimizer = {"use": "adam", "parametrization": "pixels", "steps": 3000, "learning_rate": 0.1}
    task = batch.task(spec=str(batch.spec(optimizer=optimizer)))
    jobs = batch.jobs(*NAMES)
    began: list[str] = []
    outcomes = Processes(["cpu", "cpu"]).outcomes(
        work := Work(jobs), task, lambda job, event: began.append(job.name)
    )
    for _ in range(2):
        work.ended(next(outcomes))
    outcomes.close()
    assert multiprocessing.active_children() == []
    assert len({*began}) < len(NAMES)
    assert batch.pictures() <= {*began}


def test_what_was_saved_is_told(batch: Batch) -> None:
    optimizer = {"use": "adam", "parametrization": "pixels", "steps": 3000, "learning_rate": 0.1}
    photos = batch.photos(*NAMES)
    options = ("-o", batch.output, "--workers", "2")
    spec = batch.spec(optimizer=optimizer)
    process = start("batch", spec, photos, *options, folder=batch.folder)
    # The first photo is painted alone; then two workers are at the next ones.
    while process.poll() is None and len([*batch.output.glob(".instyle-*-*")]) < 2:
        time.sleep(0.1)
    time.sleep(0.5)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 130, err
    statuses = batch.statuses
    assert "interrupted" in statuses.values()
    assert batch.pictures() == {*statuses}
    assert batch.record["counts"]["missing"] == len(NAMES) - len(statuses)
