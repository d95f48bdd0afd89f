"""The plan of a job: what varies is put in its place, and the rest is the spec's."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_batch.job import Job
from instyle_batch.photo import in_words
from instyle_batch.plans import plan_for
from instyle_core import SpecError
from tests.core.helpers.studio import noise, save
from tests.plugins.instyle_batch.conftest import Batch


def test_what_varies(batch: Batch) -> None:
    (job,) = batch.jobs("a.png")
    save(batch.folder / "other.png", noise())
    spec = batch.spec(
        content=None,
        output=None,
        style={"images": ["style.png", "style.png"], "weights": [1, 2], "scale": 0.5},
        objects=[{}, {"style": "style.png"}],
    )
    task = batch.task(spec=str(spec), assignments=("seed=7",))
    output = batch.folder / "out.png"
    plan = plan_for(job, task, Path(job.photo), output)
    assert (plan.spec.content, plan.spec.output) == (Path(job.photo), output)
    assert plan.spec.seed == 7
    assert [len(item.style.images or ()) for item in plan.objects] == [2, 1]
    styled = Job(job.name, job.photo, str(batch.folder / "other.png"))
    plan = plan_for(styled, task, Path(job.photo), output)
    styles = [item.style for item in plan.objects]
    assert [style.images for style in styles] == [[batch.folder / "other.png"]] * 2
    assert [(style.scale, style.weights) for style in styles] == [(0.5, None), (1.0, None)]


def test_a_wrong_value_is_told_with_its_line(batch: Batch) -> None:
    spec = batch.spec(size=1)
    with pytest.raises(SpecError) as caught:
        plan_for(Job("a.png", "a.png"), batch.task(spec=str(spec)), Path("a.png"), Path("/x.png"))
    assert "size" in in_words(caught.value)
