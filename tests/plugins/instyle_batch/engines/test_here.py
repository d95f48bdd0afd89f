"""One job after another, with the networks of the first."""

from __future__ import annotations

import pytest

from instyle_batch.engines.here import Here
from instyle_batch.work import Work
from instyle_core.events import Step
from instyle_core.plugin.use import Use
from tests.plugins.instyle_batch.conftest import Batch


def test_jobs_are_told_and_networks_are_made_once(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create = Use._create

    def count(use: Use) -> object:
        made.append(use.plugin.name)
        return create(use)

    monkeypatch.setattr(Use, "_create", count)
    jobs = batch.jobs("a.png", "b.png", "c.png")
    told: list[tuple[str, object]] = []
    work = Work(jobs)
    for outcome in Here().outcomes(work, batch.task(), lambda job, e: told.append((job.name, e))):
        assert outcome.status == "done"
        work.ended(outcome)
    assert [name for name, event in told if event is None] == ["a.png", "b.png", "c.png"]
    steps = [name for name, event in told if isinstance(event, Step)]
    assert steps == [name for name in ("a.png", "b.png", "c.png") for _ in range(4)]
    assert made.count("stencil") == 1
    assert made.count("tint") == 3


def test_the_device_of_the_worker(batch: Batch) -> None:
    (job,) = batch.jobs("a.png")
    work = Work([job])
    outcomes = Here("cuda:77").outcomes(work, batch.task(), lambda *_: None)
    outcome = next(outcomes)
    assert outcome.status == "failed"
    assert "cuda:77" in outcome.reason
