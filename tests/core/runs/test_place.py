"""What could stop publishing is found before the work, by trying it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from instyle_core import pipeline
from instyle_core.errors import InputError
from instyle_core.runs import place
from tests.core.helpers.studio import Studio, listing

NOBODY = 65534


def problems(output: Path) -> list[InputError]:
    before = listing(output.parent) if output.parent.is_dir() else None
    found = place.problems(output, output.with_name(f"{output.name}.run"))
    assert before is None or listing(output.parent) == before
    assert not list(output.parent.glob(".instyle*"))
    return found


def earlier_run(folder: Path) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    return folder


def test_a_place_that_is_free(tmp_path: Path) -> None:
    assert problems(tmp_path / "out.png") == []


def test_an_earlier_picture_and_run_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "out.png").write_bytes(b"old")
    earlier_run(tmp_path / "out.png.run")
    assert problems(tmp_path / "out.png") == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "missing" / "out.png")
    assert problem.where == str(tmp_path / "missing")
    assert "No such file" in problem.what


@pytest.mark.parametrize("too_long", ["the picture", "the run folder"])
def test_names_that_are_too_long(tmp_path: Path, too_long: str) -> None:
    most = os.pathconf(tmp_path, "PC_NAME_MAX")
    length = most + 1 if too_long == "the picture" else most - 3
    found = problems(tmp_path / ("x" * (length - 4) + ".png"))
    assert [too_long in problem.what for problem in found][-1:] == [True] or too_long in found[
        0
    ].what
    assert all("too long" in problem.what for problem in found)


def test_a_name_just_short_enough(tmp_path: Path) -> None:
    name = "x" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 8) + ".png"
    assert problems(tmp_path / name) == []


def test_a_run_folder_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "out.png.run").mkdir()
    (problem,) = problems(tmp_path / "out.png")
    assert "not the folder of an earlier run" in problem.what


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "out.png.run").symlink_to(tmp_path / "out.png.run")
    assert len(problems(tmp_path / "out.png")) == 1


def test_a_run_folder_that_is_a_link_is_written_through(studio: Studio, tmp_path: Path) -> None:
    real = earlier_run(tmp_path / "real")
    plan = studio.plan()
    plan.folder.symlink_to(real)
    result = pipeline.run(plan)
    assert plan.folder.is_symlink()
    assert (real / "report.html").is_file()
    assert (result.folder / "run.json").is_file()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    again = pipeline.run(plan)
    assert again.status == "finished"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_mount_points(tmp_path: Path) -> None:
    assert place.is_mount_point(Path("/proc"))
    assert not place.is_mount_point(tmp_path)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        path = Path(line.split(" ")[4].replace("\\040", " "))
        assert place.is_mount_point(path)


def test_what_is_mounted_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier_run(tmp_path / "out.png.run")
    (tmp_path / "out.png").write_bytes(b"old")
    monkeypatch.setattr(place, "is_mount_point", lambda path: path.suffix == ".run")
    (problem,) = problems(tmp_path / "out.png")
    assert problem.where == str(tmp_path / "out.png.run")
    assert "mounted" in problem.what


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes two users")
@pytest.mark.parametrize(
    ("mode", "owner", "expected"),
    [
        (0o1777, 0, "somebody else's"),
        (0o1777, NOBODY, ""),
        (0o777, 0, ""),
        (0o755, NOBODY, "cannot be written to: Permission denied"),
    ],
)
def test_somebody_else_s(mode: int, owner: int, expected: str) -> None:
    # Not tmp_path, which is closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        (folder / "out.png").write_bytes(b"old")
        for path in (folder / "out.png", earlier_run(folder / "out.png.run")):
            os.chown(path, owner, owner)
        folder.chmod(mode)
        os.seteuid(NOBODY)
        try:
            found = problems(folder / "out.png")
        finally:
            os.seteuid(0)
        assert all(expected in problem.what for problem in found)
        assert bool(found) == bool(expected)


def test_nothing_is_painted_where_it_could_not_be_published(studio: Studio) -> None:
    plan = studio.plan()
    plan.folder.mkdir()
    events: list[object] = []
    with pytest.raises(InputError):
        pipeline.run(plan, events.append)
    assert events == []
