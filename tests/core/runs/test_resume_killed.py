"""A run that is killed goes on from its last checkpoint, to the bytes of an unbroken one."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from instyle_core import pipeline
from instyle_core.config.plan import Plan
from instyle_core.errors import InputError
from instyle_core.events import Event, Note, Observer, Step
from instyle_core.runs import folder
from instyle_core.runs.hidden import HiddenFolder
from instyle_core.runs.resume import REMAINS
from tests.core.helpers.interrupted import (
    ADAM,
    L_BFGS,
    changes,
    finish,
    record,
    results,
    tinted,
    unbroken,
)
from tests.core.helpers.studio import Studio, listing


class Killed(BaseException):
    """What no code handles."""


def kill_at(item: int | None, step: int) -> Observer:
    def on_event(event: Event) -> None:
        if isinstance(event, Step) and (event.item, event.step) == (item, step):
            raise Killed

    return on_event


def die(plan: Plan, on_event: Observer, *, checkpoint: float = 0, resume: bool = False) -> None:
    """A run that is killed: it removes nothing, and the system takes back its lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HiddenFolder, "remove", HiddenFolder.release)
        with pytest.raises(Killed):
            pipeline.run(plan, on_event, checkpoint=checkpoint, resume=resume)
    torch.manual_seed(4321)  # another process stands elsewhere


def hidden(studio: Studio) -> list[Path]:
    return sorted(studio.folder.glob(".*"))


@pytest.mark.parametrize("optimizer", [ADAM, L_BFGS], ids=["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("scales", "item", "step"),
    [(1, 0, 2), (1, 0, 10), (1, 1, 1), (3, 0, 5), (3, 0, 6), (3, 1, 1), (3, 1, 8)],
)
def test_killed_at_any_place(
    studio: Studio,
    references: dict[Any, dict[str, bytes]],
    optimizer: dict[str, Any],
    scales: int,
    item: int,
    step: int,
) -> None:
    plan = studio.plan(**changes(studio, {**optimizer, "scales": scales}, snapshots=3))
    case = (optimizer["use"], scales)
    expected = references[case] = references.get(case) or unbroken(studio, plan)
    die(plan, kill_at(item, step))
    assert not (studio.folder / "out.png").exists()
    assert not plan.folder.exists()
    finish(plan)
    assert results(studio) == expected
    # The step that it died at was not yet saved.
    at = (f"object-{item}", step - 1) if step > 1 else ("object-0", 10)
    resumed = record(studio)["resumed"]
    assert [(each["object"], each["step"]) for each in resumed] == [at]
    assert hidden(studio) == []


def test_killed_again_and_again(studio: Studio) -> None:
    plan = studio.plan(**changes(studio, {**ADAM, "scales": 2}))
    expected = unbroken(studio, plan)
    die(plan, kill_at(0, 4))
    die(plan, kill_at(0, 9), resume=True)
    die(plan, kill_at(1, 3), resume=True)
    finish(plan)
    assert results(studio) == expected
    assert hidden(studio) == []


def test_the_earlier_run_stays_until_there_is_a_new_one(studio: Studio) -> None:
    plan = studio.plan(**tinted(studio))
    pipeline.run(plan)
    before = listing(plan.folder)
    die(plan, kill_at(1, 2))
    assert listing(plan.folder) == before
    finish(plan)
    assert record(studio)["resumed"]


def test_a_run_that_starts_anew_says_so_and_cleans_up(studio: Studio) -> None:
    plan = studio.plan(**tinted(studio))
    expected = unbroken(studio, plan)
    die(plan, kill_at(1, 2))
    notes: list[str] = []
    pipeline.run(plan, lambda e: notes.append(e.message) if isinstance(e, Note) else None)
    assert REMAINS in notes
    assert results(studio) == expected
    assert hidden(studio) == []


def test_before_the_first_checkpoint_there_is_nothing_to_go_on_from(studio: Studio) -> None:
    plan = studio.plan(**tinted(studio))
    die(plan, kill_at(1, 2), checkpoint=3600)
    assert len(hidden(studio)) == 1
    notes: list[str] = []
    pipeline.run(plan, lambda e: notes.append(e.message) if isinstance(e, Note) else None)
    assert REMAINS not in notes
    assert hidden(studio) == []


def test_checkpoints_are_so_many_seconds_apart(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()  # a second passes each time that it is looked at
    saved: list[int] = []
    original = folder.dump_state

    def dump(state: Any) -> bytes:
        saved.append(state.steps)
        return original(state)

    monkeypatch.setattr(folder, "dump_state", dump)
    monkeypatch.setattr(folder.time, "monotonic", lambda: float(next(clock)))
    plan = studio.plan(optimizer={**ADAM, "steps": 40}, size=32, losses=[{"use": "tint"}])
    pipeline.run(plan, checkpoint=20)
    assert 2 <= len(saved) <= 4
    assert min(b - a for a, b in itertools.pairwise(saved)) >= 8


@pytest.mark.parametrize("name", ["run.json", "losses.csv", "state-"])
def test_a_checkpoint_that_is_cut_off_leaves_the_one_before(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    count = itertools.count(1)
    original = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).name.startswith(name) and next(count) == 5:
            raise Killed
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        die(plan, lambda event: None)
    finish(plan)
    assert results(studio) == expected


def test_a_full_disk_does_not_stop_the_painting(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = studio.plan(**changes(studio, snapshots=2))
    expected = unbroken(studio, plan)
    original = os.replace
    full = [False]

    def replace(source: Any, target: Any) -> None:
        if full[0] and Path(target).parent.name != studio.folder.name:
            raise OSError(28, "No space left on device")
        original(source, target)

    notes: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.message)
        if isinstance(event, Step):
            full[0] = (event.item, event.step) < (1, 9)

    monkeypatch.setattr(os, "replace", replace)
    assert pipeline.run(plan, on_event, checkpoint=0).status == "finished"
    kept = {"object-1/snapshots/000010.png"}
    lost = {name for name in expected if "snapshots" in name} - kept
    assert results(studio) == {name: data for name, data in expected.items() if name not in lost}
    told = [note for note in notes if "could not be saved" in note]
    assert told
    assert len(told) == len({*told})
    assert all("No space left" in note for note in told)


def test_a_living_run_is_left_alone(studio: Studio) -> None:
    plan = studio.plan(**tinted(studio))
    living = HiddenFolder(plan.folder)
    (living.path / "run.json").write_text("{}")
    notes: list[str] = []
    pipeline.run(plan, lambda e: notes.append(e.message) if isinstance(e, Note) else None)
    assert REMAINS not in notes
    assert hidden(studio) == [living.path]
    living.release()
    pipeline.run(plan)
    assert hidden(studio) == []


def test_an_error_leaves_the_last_checkpoint(studio: Studio) -> None:
    """Hours of work are not lost to a plugin that breaks at the end."""
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)

    def on_event(event: Event) -> None:
        if isinstance(event, Step) and (event.item, event.step) == (1, 5):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pipeline.run(plan, on_event, checkpoint=0)
    finish(plan)
    assert results(studio) == expected
    assert hidden(studio) == []


@pytest.mark.parametrize("moved", ["nothing", "the picture", "the old folder"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_died_while_it_published_is_published(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, moved: str, resume: bool
) -> None:
    plan = studio.plan(**tinted(studio))
    expected = unbroken(studio, plan)
    pipeline.run(studio.plan(**tinted(studio, seed=5, start="noise")))
    plan = studio.plan(**tinted(studio))
    original = os.replace
    last = {"nothing": "out.png", "the picture": "replaced-", "the old folder": "out.png.run"}

    def replace(source: Any, target: Any) -> None:
        if last[moved] in Path(target).name and Path(target).parent == studio.folder:
            monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(Killed))
            raise Killed
        original(source, target)

    with monkeypatch.context():
        monkeypatch.setattr(os, "replace", replace)
        die(plan, lambda event: None)
        monkeypatch.setattr(os, "replace", original)
    if resume:
        with pytest.raises(InputError, match="this run is finished"):
            pipeline.run(plan, resume=True)
    else:
        with pytest.raises(Killed):
            pipeline.run(studio.plan(**tinted(studio)), kill_at(0, 1))
    assert results(studio) == expected
    assert hidden(studio) == []


def test_states_that_no_record_names_do_not_pile_up(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is room for states, but not for what names them."""
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    original = os.replace
    full = [False]
    most = 0

    def replace(source: Any, target: Any) -> None:
        if full[0] and Path(target).name == "run.json":
            raise OSError(28, "No space left on device")
        original(source, target)

    def on_event(event: Event) -> None:
        nonlocal most
        if isinstance(event, Step):
            most = max(most, len([*studio.folder.glob(".instyle-*/state-*.pt")]))
            full[0] = (event.item, event.step) < (1, 9)

    monkeypatch.setattr(os, "replace", replace)
    assert pipeline.run(plan, on_event, checkpoint=0).status == "finished"
    assert most <= 1
    assert results(studio) == expected
