"""Run folders by somebody else: they are refused, and lead a run nowhere else."""

from __future__ import annotations

import hashlib
import io
import math
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instyle_core import pipeline
from instyle_core.config.plan import Plan
from instyle_core.errors import InputError
from instyle_core.events import Event, Step
from instyle_core.runs.record import state_path
from tests.core.helpers.interrupted import (
    L_BFGS,
    changes,
    edit,
    interrupt,
    record,
    refusal,
    state_file,
)
from tests.core.helpers.studio import Studio, listing, read


@pytest.fixture
def around(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no run has anything to do with."""
    folder = tmp_path_factory.mktemp("around")
    for name in ("run.json", "mask.png", "stylized.png"):
        (folder / name).write_text('{"status": "finished"}')
    return folder


def run_folder(studio: Studio) -> Path:
    return studio.folder / "out.png.run"


def hidden(studio: Studio, name: str) -> Path:
    """What looks like the remains of a run that died."""
    digest = hashlib.sha256(b"out.png.run").hexdigest()[:8]
    return studio.folder / f".instyle-{digest}-{name}"


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["a file", "a pipe", "/dev/zero"])
@pytest.mark.parametrize(
    "name", ["losses.csv", "state", "object-0/mask.png", "object-1/snapshots/000002.png"]
)
def test_a_file_that_is_none_of_the_folder(
    studio: Studio, plan: Plan, around: Path, name: str, to: str
) -> None:
    path = state_file(run_folder(studio)) if name == "state" else run_folder(studio) / name
    if to == "a pipe":
        path.unlink()
        os.mkfifo(path)
    elif to == "a file":  # the very content
        path.symlink_to(path.rename(around / "content"))
    else:
        path.unlink()
        path.symlink_to(to)
    with pytest.raises(InputError, match="no plain file of this folder") as caught:
        pipeline.run(plan, resume=True)
    assert caught.value.where == str(path)


def test_a_record_that_is_elsewhere(studio: Studio, plan: Plan, around: Path) -> None:
    path = run_folder(studio) / "run.json"
    shutil.move(path, around / "run.json")
    path.symlink_to(around / "run.json")
    assert "no plain file of this folder" in refusal(plan, studio).what


def test_a_folder_of_pictures_that_is_elsewhere(studio: Studio, plan: Plan, around: Path) -> None:
    folder = run_folder(studio) / "object-0"
    folder.rename(around / "object-0")
    folder.symlink_to(around / "object-0")
    assert refusal(plan, studio).where == str(folder / "mask.png")


@pytest.mark.parametrize("there", [True, False])
def test_links_by_the_names_of_remains_are_left_alone(
    studio: Studio, around: Path, there: bool
) -> None:
    """A run would move its files to where they lead, and remove what is there."""
    before = listing(around)
    plan = studio.plan()
    if there:
        pipeline.run(plan)
    for name in ("replaced-00000000", "00000000"):
        hidden(studio, name).symlink_to(around)
    pipeline.run(plan)
    assert listing(around) == before
    assert not run_folder(studio).is_symlink()
    assert record(studio)["status"] == "finished"


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_picture_to_publish_that_is_none(studio: Studio, around: Path, what: str) -> None:
    """Moved to the place of the output, the link would be written through at the end."""
    remains = hidden(studio, "00000000")
    remains.mkdir()
    (remains / "run.json").write_text('{"status": "finished"}')
    staged = remains / "staged-output"
    if what == "link":
        staged.symlink_to(around / "mask.png")
    elif what == "pipe":
        os.mkfifo(staged)
    else:
        staged.mkdir()
    before = listing(around)
    pipeline.run(studio.plan())
    assert listing(around) == before
    assert (studio.folder / "out.png").is_file()
    assert not (studio.folder / "out.png").is_symlink()
    assert studio.output.shape == studio.photo.shape


def test_remains_whose_record_is_a_pipe(studio: Studio) -> None:
    hidden(studio, "00000000").mkdir()
    os.mkfifo(hidden(studio, "00000000") / "run.json")
    pipeline.run(studio.plan())
    assert record(studio)["status"] == "finished"


# --- states ---------------------------------------------------------------------------------------


def put(studio: Studio, data: bytes) -> None:
    """Put other bytes in place of the state, with their hash in the record."""
    digest = hashlib.sha256(data).hexdigest()
    edit(studio, lambda record: record.update(state=digest))
    state_file(run_folder(studio)).unlink()
    state_path(run_folder(studio), digest).write_bytes(data)


def change(studio: Studio, make: Callable[[dict[str, Any]], object]) -> None:
    content = torch.load(state_file(run_folder(studio)), weights_only=True)
    make(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    put(studio, buffer.getvalue())


def solver(content: dict[str, Any]) -> dict[str, Any]:
    return content["optimization"]["scale"]["solver"]


def set_in(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """Set what the last of some keys leads to."""
    *way, last, value = keys

    def make(content: Any) -> None:
        for key in way:
            content = content[key]
        content[last] = value

    return make


ENDLESS = torch.zeros(1).expand(2**20, 2**20, 3)

CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "no number": set_in("finished", [1, 2]),
    "negative": set_in("finished", -1),
    "too many objects": set_in("finished", 2),
    "huge": set_in("finished", 10**400),
    "no patches": set_in("patches", []),
    "a number for patches": set_in("patches", 1),
    "a text for pixels": set_in("patches", 0, ((0, 0, 9, 9), "pixels")),
    "a patch of another size": set_in("patches", 0, ((0, 0, 9, 9), torch.zeros(3, 8, 8))),
    "a patch of one pixel": set_in("patches", 0, ((0, 0, 9, 9), torch.zeros(3, 1, 1))),
    "a patch outside": set_in("patches", 0, ((55, 40, 64, 49), torch.zeros(3, 9, 9))),
    "a negative patch": set_in("patches", 0, ((-9, -9, -1, -1), torch.zeros(3, 8, 8))),
    "a patch that is not finite": set_in(
        "patches", 0, ((0, 0, 9, 9), torch.full((3, 9, 9), math.nan))
    ),
    "no random state": set_in("optimization", "random", []),
    "another random state": set_in("random", [torch.zeros(5000)]),
    "a short random state": set_in("random", [torch.zeros(9, dtype=torch.uint8)]),
    "no best": set_in("optimization", "best", None),
    "an endless best": set_in("optimization", "best", ENDLESS),
    "a best without content": set_in(
        "optimization", "best", torch.empty(3, 2**20, 2**20, device="meta")
    ),
    "a best that is not finite": set_in("optimization", "best", torch.full((3, 9, 9), math.inf)),
    "pixels of another size": set_in("optimization", "scale", "pixels", torch.zeros(3, 1, 1)),
    "steps that there are not": set_in("optimization", "steps", 10**18),
    "no steps": set_in("optimization", "steps", 0),
    "no solver": set_in("optimization", "scale", "solver", {}),
    "moments of one number": set_in(
        "optimization", "scale", "solver", "exp_avg", [torch.zeros(())]
    ),
    "firsts of numbers": set_in("optimization", "scale", "firsts", [1]),
    "momentum of numbers": set_in("optimization", "momentum", [1]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_state_that_does_not_fit(studio: Studio, plan: Plan, what: str) -> None:
    change(studio, CHANGES[what])
    error = refusal(plan, studio)
    assert "this file is damaged" in error.what
    assert error.where == str(state_file(run_folder(studio)))


def test_a_solver_of_l_bfgs_that_does_not_fit(studio: Studio) -> None:
    plan = studio.plan(**changes(studio, L_BFGS))
    interrupt(plan, 1, 4)
    directions = [torch.zeros(7)]
    change(studio, set_in("optimization", "scale", "solver", "state", 0, "old_dirs", directions))
    assert "this file is damaged" in refusal(plan, studio).what


def test_the_settings_of_the_solver_are_those_of_the_spec(studio: Studio) -> None:
    """With iterations of the file, a step would never end."""
    plan = studio.plan(**changes(studio, L_BFGS))
    interrupt(plan, 1, 4)
    change(studio, lambda content: solver(content)["param_groups"][0].update(max_iter=10**9))
    seen: list[Step] = []

    def count(event: Event) -> None:
        if isinstance(event, Step):
            seen.append(event)

    pipeline.run(plan, count, resume=True)
    assert [step.step for step in seen] == [5, 6, 7, 8, 9, 10]


def test_a_state_that_would_unpack_to_more(studio: Studio, plan: Plan) -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(state_file(run_folder(studio))) as archive,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as smaller,
    ):
        for name in archive.namelist():
            smaller.writestr(name, archive.read(name))
    put(studio, packed.getvalue())
    assert "compressed" in refusal(plan, studio).what


# --- records and losses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("state", "../../../x"),
        ("state", "x" * 5000),
        ("seconds", {"total": math.nan}),
        ("seconds", {"paint": -1}),
        ("objects", {"object-0": {"style": {"ranking": 3}}}),
        ("objects", {"object-0": {"style": {"ranking": [{"score": 1}]}}}),
        ("objects", {"object-0": {"style": "x"}}),
        ("objects", {"object-0": {"pixels": [1]}}),
    ],
)
def test_a_record_that_the_report_could_not_show(
    studio: Studio, plan: Plan, key: str, value: Any
) -> None:
    edit(studio, lambda record: record.update({key: value}))
    error = refusal(plan, studio)
    assert "this file is damaged" in error.what
    assert error.where == str(run_folder(studio) / "run.json")


@pytest.mark.parametrize("how", ["0", "-3", "4", "99", "9" * 4000, ""])
def test_losses_whose_steps_are_not_in_order(studio: Studio, plan: Plan, how: str) -> None:
    path = run_folder(studio) / "losses.csv"
    lines = path.read_text().splitlines(keepends=True)
    columns = lines[3].split(",")
    assert columns[:2] == ["object-0", "3"]
    lines[3] = ",".join([columns[0], how, *columns[2:]])
    path.write_text("".join(lines))
    assert refusal(plan, studio).where == str(path)


def test_the_picture_is_kept_where_the_report_fails(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the reason is."""
    from instyle_core.errors import RescuedRun
    from instyle_core.runs import report

    pipeline.run(studio.plan())
    expected = studio.output
    shutil.rmtree(run_folder(studio))
    (studio.folder / "out.png").unlink()
    monkeypatch.setattr(report, "page", lambda *_: 1 / 0)
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))
    with pytest.raises(RescuedRun) as caught:
        pipeline.run(studio.plan())
    assert (read(caught.value.saved) == expected).all()
