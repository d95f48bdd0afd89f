"""What cannot be resumed: why not, what to do, and nothing is lost or written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from instyle_core import pipeline
from instyle_core.config.plan import Plan, load_plan
from instyle_core.errors import InputError
from instyle_core.events import Event, Note
from tests.core.helpers.interrupted import edit, has_state, interrupt, refusal, tinted
from tests.core.helpers.studio import Studio, listing

# --- there is nothing to resume -------------------------------------------------------------------


def test_there_is_no_run(studio: Studio) -> None:
    error = refusal(studio.plan(), studio)
    assert error.where == str(studio.folder / "out.png.run")
    assert "no run" in error.what


@pytest.mark.parametrize("kind", ["file", "empty folder"])
def test_there_is_something_else(studio: Studio, kind: str) -> None:
    target = studio.folder / "out.png.run"
    if kind == "file":
        target.write_text("dear diary")
    else:
        target.mkdir()
    plan = studio.plan()
    before = listing(studio.folder)
    with pytest.raises(InputError, match="not the folder of an earlier run"):
        pipeline.run(plan, resume=True)
    assert listing(studio.folder) == before


def test_the_run_is_finished(studio: Studio) -> None:
    studio.run()
    assert "finished" in refusal(studio.plan(), studio).what


def test_the_run_diverged(studio: Studio) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "at": 3}]
    assert studio.run(losses=losses).status == "diverged"
    assert "diverged" in refusal(studio.plan(losses=losses), studio).what


def test_a_resumed_run_that_is_finished_is_finished(studio: Studio, plan: Plan) -> None:
    assert pipeline.run(plan, resume=True).status == "finished"
    assert "finished" in refusal(plan, studio).what


def test_a_resumed_run_may_diverge(studio: Studio) -> None:
    plan = studio.plan(losses=[{"use": "tint"}, {"use": "fault", "at": 3}])
    interrupt(plan, 0, 1)
    assert pipeline.run(plan, resume=True).status == "diverged"
    assert not has_state(studio.folder / "out.png.run")
    assert "diverged" in refusal(plan, studio).what


def test_the_run_was_stopped_within_its_first_scale(studio: Studio) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": "interrupt", "at": 3}]
    plan = studio.plan(losses=losses)
    result = pipeline.run(plan)
    assert (result.status, result.resumable) == ("interrupted", False)
    assert "within a step" in refusal(plan, studio).what


# --- something is different -----------------------------------------------------------------------

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "steps": (
        {"optimizer": {"use": "adam", "steps": 5, "scales": 1, "learning_rate": 0.1}},
        "optimizer.steps was 4 and is 5",
    ),
    "optimizer": ({"optimizer": {"use": "lbfgs", "steps": 4}}, "optimizer.use was 'adam' and is"),
    "seed": ({"seed": 3}, "seed was 0 and is 3"),
    "size": ({"size": 80}, "size was 64 and is 80"),
    "color": (
        {"losses": [{"use": "tint", "color": [1, 0.5, 0]}, {"use": "inks"}]},
        "losses.0.color.1 was 0 and is 0.5",
    ),
    "loss": (
        {"losses": [{"use": "tint"}, {"use": "dice"}]},
        "losses.1.use was 'inks' and is 'dice'",
    ),
    "one loss more": (
        {"losses": [{"use": "tint"}, {"use": "inks"}, {"use": "tv"}]},
        "losses.2 was not there and is a mapping",
    ),
    "one loss less": ({"losses": [{"use": "tint"}]}, "losses.1 was a mapping and is not there"),
    "merger": ({"merger": {"use": "feather"}}, "merger.use was 'hard' and is 'feather'"),
    "whole picture": ({"objects": None}, "objects was [a mapping, a mapping] and is not there"),
    "start": ({"start": "noise"}, "start.png' and is 'noise'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_spec(studio: Studio, plan: Plan, name: str) -> None:
    changes, words = CHANGES[name]
    common = tinted(studio)
    other = studio.plan(**{**common, **changes})
    error = refusal(other, studio)
    assert words in error.what
    assert error.where == str(studio.folder / "out.png.run")
    pipeline.run(plan, resume=True)  # the run itself can go on all the same


def test_the_same_spec_written_otherwise(studio: Studio, plan: Plan) -> None:
    """By its record, and with a default spelled out."""
    spelled = studio.plan(**tinted(studio, margin=0.04, seed=0))
    assert spelled.dump() == plan.dump()
    own = load_plan(studio.folder / "out.png.run" / "run.json")
    assert pipeline.run(own, resume=True).status == "finished"


@pytest.mark.parametrize("name", ["photo.png", "style.png", "mask.png", "second.png", "start.png"])
def test_a_file_that_has_changed(studio: Studio, plan: Plan, name: str) -> None:
    path = studio.folder / name
    before = path.read_bytes()
    path.write_bytes(before + b"\0")  # the same picture, but who knows
    error = refusal(plan, studio)
    assert "changed" in error.what
    assert error.where == str(path)
    path.write_bytes(before)
    assert pipeline.run(plan, resume=True).status == "finished"


def test_other_weights(studio: Studio, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade of a plugin; that they are missing is not even found out."""
    import instyle_toy

    weights = (instyle_toy.MISSING,)
    with monkeypatch.context() as patch:
        patch.setattr(instyle_toy.TintParams, "pretrained", lambda _: weights)
        assert plan.pretrained == weights
        assert "'toy-missing'" in refusal(plan, studio).what
    assert pipeline.run(plan, resume=True).status == "finished"


def test_another_device(studio: Studio, plan: Plan) -> None:
    edit(studio, lambda record: record["machine"].update(device="cuda"))
    error = refusal(plan, studio)
    assert "'cuda'" in error.what
    assert "'cpu'" in error.what


def older(record: dict[str, Any], what: str) -> None:
    if what == "instyle":
        record["instyle"] = "0.0.1"
    elif what == "instyle-toy":
        for name, distribution in record["plugins"].items():
            record["plugins"][name] = distribution.replace("instyle-toy 1.0", "instyle-toy 0.0.1")
    else:
        record["versions" if what == "torch" else "machine"][what] = "0.0.1"


@pytest.mark.parametrize("what", ["instyle", "instyle-toy", "torch", "threads", "precision"])
def test_other_versions_are_told_and_no_obstacle(studio: Studio, plan: Plan, what: str) -> None:
    edit(studio, lambda record: older(record, what))
    notes: list[str] = []
    result = pipeline.run(
        plan,
        lambda event: notes.append(event.message) if isinstance(event, Note) else None,
        resume=True,
    )
    assert result.status == "finished"
    (note,) = notes
    assert f"started with {what} 0.0.1 (now " in note
    assert note.count("0.0.1") == note.count("now") == 1  # nothing else is different
    assert json.loads((result.folder / "run.json").read_text("utf-8"))["notes"] == [note]


def test_nothing_is_told_where_nothing_is_different(studio: Studio, plan: Plan) -> None:
    notes: list[Event] = []
    pipeline.run(
        plan, lambda event: notes.append(event) if isinstance(event, Note) else None, resume=True
    )
    assert notes == []
