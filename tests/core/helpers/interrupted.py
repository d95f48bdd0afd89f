"""Runs that are interrupted and resumed, and what they have in common with unbroken ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instyle_core import pipeline
from instyle_core.config.plan import Plan
from instyle_core.errors import InputError
from instyle_core.events import Event, Observer, Step, ignore
from instyle_core.pipeline import Result
from tests.core.helpers.studio import Studio, listing, noise, rectangle, save

ADAM = {"use": "adam", "steps": 10, "scales": 1, "learning_rate": 0.05}
L_BFGS = {"use": "lbfgs", "steps": 10, "scales": 1, "history": 3}

#: Something of everything: a network, several terms, random numbers, and a merger that blends.
LOSSES: list[dict[str, Any]] = [
    {"use": "style", "extractor": "pixels", "layers": ["cells"], "weight": 3},
    {"use": "content", "extractor": "pixels", "layers": ["cells"]},
    {"use": "dice"},
]


def changes(studio: Studio, optimizer: dict[str, Any] = ADAM, **more: Any) -> dict[str, Any]:
    """A spec of two objects with different losses."""
    save(studio.folder / "second.png", rectangle((35, 5, 55, 25)))
    save(studio.folder / "style.png", noise(30, 40, seed=3))
    second = {
        "segmenter": {"use": "stencil", "path": "second.png"},
        "losses": [{"use": "inks"}, {"use": "dice", "weight": 0.5}],
    }
    return {
        "objects": [{}, second],
        "losses": LOSSES,
        "merger": {"use": "feather", "width": 6},
        "size": 128,
        "optimizer": optimizer,
        **more,
    }


def tinted(studio: Studio, **changes: Any) -> dict[str, Any]:
    """A cheap spec of two objects that reads every kind of file."""
    save(studio.folder / "start.png", noise(seed=9))
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    second = {
        "segmenter": {"use": "stencil", "path": "second.png"},
        "losses": [{"use": "tint", "color": [0, 0, 1]}],
    }
    return {
        "objects": [{}, second],
        "losses": [{"use": "tint"}, {"use": "inks"}],
        "start": "start.png",
        "snapshots": 1,
        **changes,
    }


def results(studio: Studio) -> dict[str, bytes]:
    """What an unbroken run and a resumed one have in common, byte for byte."""
    found = listing(studio.folder / "out.png.run")
    found["out.png"] = (studio.folder / "out.png").read_bytes()
    # These two tell of time, too.
    assert found.pop("run.json")
    assert found.pop("report.html")
    assert "losses.csv" in found
    return found


def has_state(folder: Path) -> bool:
    return any(folder.glob("state-*.pt"))


def state_file(folder: Path) -> Path:
    (path,) = folder.glob("state-*.pt")
    return path


def stop_at(item: int | None, step: int) -> Observer:
    def on_event(event: Event) -> None:
        if isinstance(event, Step) and (event.item, event.step) == (item, step):
            raise KeyboardInterrupt

    return on_event


def unbroken(studio: Studio, plan: Plan) -> dict[str, bytes]:
    """The results of a run that nothing interrupts; no trace of it is left."""
    assert pipeline.run(plan).status == "finished"
    found = results(studio)
    (studio.folder / "out.png").unlink()
    shutil.rmtree(studio.folder / "out.png.run")
    return found


def record(studio: Studio) -> dict[str, Any]:
    return json.loads((studio.folder / "out.png.run" / "run.json").read_text("utf-8"))


def interrupt(plan: Plan, item: int | None, step: int, *, resume: bool = False) -> Result:
    result = pipeline.run(plan, stop_at(item, step), resume=resume)
    assert (result.status, result.resumable) == ("interrupted", True)
    assert state_file(plan.folder).is_file()
    torch.manual_seed(1234)  # another process stands elsewhere
    return result


def finish(plan: Plan, on_event: Observer = ignore) -> Result:
    result = pipeline.run(plan, on_event, resume=True)
    assert (result.status, result.reason, result.resumable) == ("finished", "", False)
    assert not has_state(plan.folder)
    return result


def refusal(plan: Plan, studio: Studio) -> InputError:
    """Why the run is not resumed; nothing is written, and no step taken."""
    before = listing(studio.folder)
    folders = {path for path in studio.folder.rglob("*") if path.is_dir()}
    steps: list[Event] = []
    with pytest.raises(InputError) as caught:
        pipeline.run(
            plan,
            lambda event: steps.append(event) if isinstance(event, Step) else None,
            resume=True,
        )
    assert listing(studio.folder) == before
    assert {path for path in studio.folder.rglob("*") if path.is_dir()} == folders
    assert steps == []
    assert caught.value.exit_status == 2
    assert caught.value.where
    assert caught.value.hint
    assert "--resume" in caught.value.hint
    return caught.value


def edit(studio: Studio, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the run's record says."""
    changed = record(studio)
    change(changed)
    (studio.folder / "out.png.run" / "run.json").write_text(json.dumps(changed), "utf-8")
