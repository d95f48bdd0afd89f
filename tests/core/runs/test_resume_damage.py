"""An interrupted run whose files are damaged, and a resumed one that fails: nothing is lost."""

from __future__ import annotations

import csv
import hashlib
import os
import pickle
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instyle_core import pipeline
from instyle_core.config.plan import Plan
from instyle_core.errors import InstyleError, PluginError, RescuedRun
from instyle_core.runs.folder import settle
from instyle_core.runs.record import state_path
from tests.core.helpers.interrupted import (
    edit,
    has_state,
    interrupt,
    record,
    refusal,
    state_file,
    stop_at,
)
from tests.core.helpers.studio import Studio, listing


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._path),))


def put(studio: Studio, data: bytes, *, known: bool) -> None:
    """Put other bytes in place of the state; `known` puts their hash into the record, too."""
    path = state_file(studio.folder / "out.png.run")
    if known:
        sha256 = hashlib.sha256(data).hexdigest()
        edit(studio, lambda record: record.update(state=sha256))
        path = path.rename(state_path(path.parent, sha256))
    path.write_bytes(data)


def assert_damaged(studio: Studio, plan: Plan, name: str) -> None:
    error = refusal(plan, studio)
    assert "damaged" in error.what
    assert "\n" not in error.what
    assert error.where.startswith(str(studio.folder / "out.png.run" / name))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_state_that_is_truncated(studio: Studio, plan: Plan, share: float, known: bool) -> None:
    whole = state_file(studio.folder / "out.png.run").read_bytes()
    put(studio, whole[: int(share * len(whole))], known=known)
    assert_damaged(studio, plan, "state-")


@pytest.mark.parametrize("where", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_state_with_a_wrong_byte(studio: Studio, plan: Plan, where: float) -> None:
    data = bytearray(state_file(studio.folder / "out.png.run").read_bytes())
    data[int(where * (len(data) - 1))] ^= 4
    put(studio, bytes(data), known=False)
    assert_damaged(studio, plan, "state-")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("how", ["torch", "pickle"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_state_with_code_in_it_is_not_run(
    studio: Studio, plan: Plan, how: str, known: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trace = tmp_path_factory.mktemp("elsewhere") / "boom"
    if how == "torch":
        torch.save({"format": 1, "bomb": Bomb(trace)}, studio.folder / "bomb.pt")
        data = (studio.folder / "bomb.pt").read_bytes()
        (studio.folder / "bomb.pt").unlink()
    else:
        data = pickle.dumps(Bomb(trace))
    put(studio, data, known=known)
    assert_damaged(studio, plan, "state-")
    assert not trace.exists()
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()  # so much for the bomb


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        torch.zeros(3),
        {"format": 2},
        {"format": 1},
        {"format": 1, "optimization": None},
        {"format": 1, "optimization": {"scale": None}, "finished": 0, "patches": [], "random": []},
    ],
    ids=str,
)
def test_a_state_that_is_none(studio: Studio, plan: Plan, content: Any) -> None:
    torch.save(content, studio.folder / "other.pt")
    put(studio, (studio.folder / "other.pt").read_bytes(), known=True)
    assert_damaged(studio, plan, "state-")


def test_a_state_of_another_format(studio: Studio, plan: Plan) -> None:
    path = state_file(studio.folder / "out.png.run")
    torch.save(torch.load(path, weights_only=True) | {"format": 1}, studio.folder / "other.pt")
    put(studio, (studio.folder / "other.pt").read_bytes(), known=True)
    assert_damaged(studio, plan, "state-")


def test_a_state_that_is_not_there(studio: Studio, plan: Plan) -> None:
    state_file(studio.folder / "out.png.run").unlink()
    assert_damaged(studio, plan, "state-")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"status": "interrupted"}', "\0\xff"])
def test_a_record_that_is_damaged(studio: Studio, plan: Plan, text: str) -> None:
    (studio.folder / "out.png.run" / "run.json").write_bytes(text.encode("latin-1"))
    assert_damaged(studio, plan, "run.json")


def test_a_record_of_a_status_that_there_is_not(studio: Studio, plan: Plan) -> None:
    edit(studio, lambda record: record.update(status="asleep"))
    assert "'asleep'" in refusal(plan, studio).what


@pytest.mark.parametrize("how", ["missing", "empty", "cut off", "a row less", "no number", "wide"])
def test_losses_that_are_damaged(studio: Studio, plan: Plan, how: str) -> None:
    path = studio.folder / "out.png.run" / "losses.csv"
    text = path.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    assert len(lines) == 1 + 4 + 2
    changed = {
        "empty": "",
        "cut off": text[: text.rindex(",") - 30],
        "a row less": "".join([*lines[:3], *lines[4:]]),
        "no number": text.replace("object-1,2,", "object-1,two,"),
        "wide": text.replace("\n", ",1\n").replace("inks,1", "inks"),
    }
    if how == "missing":
        path.unlink()
    else:
        path.write_text(changed[how], "utf-8")
    assert_damaged(studio, plan, "losses.csv")


@pytest.mark.parametrize(
    "name",
    [
        *("object-0/mask.png", "object-0/stylized.png"),
        *("object-0/snapshots/000004.png", "object-1/snapshots/000002.png"),
    ],
)
def test_a_picture_that_is_not_there(studio: Studio, plan: Plan, name: str) -> None:
    (studio.folder / "out.png.run" / name).unlink()
    assert_damaged(studio, plan, name)


def test_what_is_made_anew_may_be_missing(studio: Studio, plan: Plan) -> None:
    folder = studio.folder / "out.png.run"
    kept = shutil.copytree(folder, studio.folder / "kept")
    pipeline.run(plan, resume=True)
    expected = (studio.folder / "out.png").read_bytes()
    shutil.rmtree(folder)
    kept.rename(folder)
    for name in ("report.html", "object-1/stylized.png", "object-1/mask.png", "../out.png"):
        (folder / name).unlink()
    assert pipeline.run(plan, resume=True).status == "finished"
    assert (studio.folder / "out.png").read_bytes() == expected


# --- a resumed run that fails ---------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: where a run saves what it cannot write to its place."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    return folder


def break_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on, no file or folder of that name can get its place."""
    original = os.replace

    def replace(source: Any, target: Any) -> None:
        going_back = "replaced-" in Path(source).name
        if fnmatch(Path(target).name, name) and not going_back:
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize(
    "name", ["run.json", "losses.csv", "stylized.png", "out.png", "out.png.run"]
)
def test_the_old_folder_survives_a_failure(
    studio: Studio, plan: Plan, monkeypatch: pytest.MonkeyPatch, name: str, elsewhere: Path
) -> None:
    assert Path.cwd() == elsewhere
    before = listing(studio.folder / "out.png.run")
    with monkeypatch.context() as patch:
        break_disk(patch, name)
        with pytest.raises(InstyleError, match=r"No space left|can be written neither"):
            pipeline.run(plan, resume=True)
    assert listing(studio.folder / "out.png.run") == before
    if name == "out.png":  # it is done, and published once that is possible
        settle(plan)
        assert record(studio)["status"] == "finished"
    else:
        assert pipeline.run(plan, resume=True).status == "finished"
    assert not list(studio.folder.glob(".*"))


def test_the_old_folder_survives_a_loss_that_breaks(studio: Studio) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": "raise", "at": 3}]
    plan = studio.plan(losses=losses)
    interrupt(plan, 0, 1)
    before = listing(studio.folder)
    with pytest.raises(PluginError, match="the toy broke"):
        pipeline.run(plan, resume=True)
    assert listing(studio.folder) == before


def test_an_interrupted_run_whose_state_has_no_room(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    plan = studio.plan(optimizer={"use": "adam", "steps": 9, "scales": 1})
    interrupt(plan, 0, 2)
    before = listing(studio.folder)
    break_disk(monkeypatch, "state-*")
    with pytest.raises(RescuedRun, match="No space left") as caught:
        pipeline.run(plan, stop_at(0, 5), resume=True)
    assert caught.value.saved.is_relative_to(elsewhere)
    assert listing(studio.folder) == before


def test_a_new_run_takes_the_place_of_an_interrupted_one(studio: Studio, plan: Plan) -> None:
    result = pipeline.run(plan)
    assert result.status == "finished"
    assert not has_state(result.folder)
    with (result.folder / "losses.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 8
    assert np.isfinite(studio.output).all()
