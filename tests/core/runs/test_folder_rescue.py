"""When publishing fails all the same, the picture and the state are saved where they can be."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instyle_core import pipeline
from instyle_core.errors import InstyleError, RescuedRun
from instyle_core.events import Event, Step
from tests.core.helpers.interrupted import changes, finish, results, state_file, stop_at, unbroken
from tests.core.helpers.studio import Studio, listing, read

SMALL_DISKS = sys.platform.startswith("linux") and os.geteuid() == 0


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and a folder for temporary files beside it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "work").mkdir()
    (folder / "temporary").mkdir()
    monkeypatch.chdir(folder / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    return folder


def rescued(studio: Studio, on_event: Any = lambda event: None, **more: Any) -> RescuedRun:
    plan = studio.plan(**changes(studio, **more))
    with pytest.raises(RescuedRun) as caught:
        pipeline.run(plan, on_event)
    assert caught.value.exit_status == 1
    assert str(caught.value.saved) in str(caught.value)
    assert not list(studio.folder.glob(".*"))
    return caught.value


def expected_picture(studio: Studio) -> np.ndarray:
    plan = studio.plan(**changes(studio))
    unbroken_picture = unbroken(studio, plan)["out.png"]
    (studio.folder / "expected.png").write_bytes(unbroken_picture)
    pixels = read(studio.folder / "expected.png")
    (studio.folder / "expected.png").unlink()
    return pixels


def block_output(studio: Studio) -> Any:
    """Somebody makes a folder where the picture is to be, while it is painted."""

    def on_event(event: Event) -> None:
        if isinstance(event, Step) and (event.item, event.step) == (0, 3):
            (studio.folder / "out.png").mkdir()

    return on_event


def break_moves(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """From now on, nothing can be moved to these folders."""
    original = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).parent in folders:
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)


def test_in_the_run_folder(studio: Studio, elsewhere: Path) -> None:
    expected = expected_picture(studio)
    error = rescued(studio, block_output(studio))
    assert error.where == str(studio.folder / "out.png")
    assert error.saved == studio.folder / "out.png.run" / "out.png"
    assert (read(error.saved) == expected).all()
    assert (studio.folder / "out.png.run" / "report.html").is_file()
    assert listing(elsewhere) == {}


def test_in_the_working_directory(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = expected_picture(studio)
    plan = studio.plan(**changes(studio))
    with pytest.raises(RescuedRun) as caught:
        pipeline.run(plan, lambda event: _break_at_step(event, monkeypatch, studio.folder))
    saved = caught.value.saved
    assert saved.parent.parent == elsewhere / "work"
    assert (read(saved) == expected).all()
    assert json.loads((saved.parent / "run.json").read_text())["status"] == "finished"
    assert not (studio.folder / "out.png").exists()


def test_in_the_folder_for_temporary_files(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = expected_picture(studio)
    plan = studio.plan(**changes(studio))
    made = tempfile.mkdtemp

    def mkdtemp(*arguments: Any, dir: Any = None, **more: Any) -> str:
        if Path(dir) == elsewhere / "work":
            raise PermissionError(13, "Permission denied")
        return made(*arguments, dir=dir, **more)

    def on_event(event: Event) -> None:
        if _break_at_step(event, monkeypatch, studio.folder):
            monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)

    with pytest.raises(RescuedRun) as caught:
        pipeline.run(plan, on_event)
    saved = caught.value.saved
    assert saved.parent.parent == elsewhere / "temporary"
    assert (read(saved) == expected).all()
    # With all the rest.
    assert (saved.parent / "object-0" / "mask.png").is_file()
    assert json.loads((saved.parent / "run.json").read_text())["status"] == "finished"
    assert listing(elsewhere / "work") == {}


def _break_at_step(event: Event, monkeypatch: pytest.MonkeyPatch, *folders: Path) -> bool:
    if isinstance(event, Step) and (event.item, event.step) == (1, 3):
        break_moves(monkeypatch, *folders)
        return True
    return False


def test_the_picture_alone_if_there_is_no_room_for_more(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = expected_picture(studio)
    original = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).name == "run.json":
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    error = rescued(studio)
    assert [path.name for path in error.saved.parent.iterdir()] == ["out.png"]
    assert (read(error.saved) == expected).all()


@pytest.mark.parametrize("checkpoint", [0.0, 3600.0])
def test_nowhere(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: float
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    original = os.replace
    full = [False]

    def replace(source: Any, target: Any) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        original(source, target)

    def on_event(event: Event) -> None:
        if isinstance(event, Step):
            full[0] = (event.item, event.step) >= (1, 5)

    monkeypatch.setattr(os, "replace", replace)
    goes_on = "the next run goes on from what is in" if not checkpoint else "nothing could be saved"
    with pytest.raises(InstyleError, match=goes_on):
        pipeline.run(plan, on_event, checkpoint=checkpoint)
    assert listing(elsewhere) == {}
    assert bool(list(studio.folder.glob(".*"))) == (not checkpoint)
    full[0] = False
    if not checkpoint:
        finish(plan)
        assert results(studio) == expected


@pytest.mark.skipif(not SMALL_DISKS, reason="takes a small disk: root, on Linux")
@pytest.mark.parametrize("left", [40_000, 100_000])
def test_the_picture_is_worth_more_than_the_masks(
    studio: Studio,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    left: int,
) -> None:
    """On a disk without room for a state, what is not needed makes room for the picture."""
    disk = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        shutil.copytree(studio.folder, disk / "project", dirs_exist_ok=True)
        small = Studio(disk / "project")
        plan = small.plan(**changes(small, snapshots=1))
        monkeypatch.chdir(disk)
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(disk / "filler", (disk / "filler").stat().st_size - left)
        with pytest.raises(RescuedRun) as caught:
            pipeline.run(plan, checkpoint=0)
        assert read(caught.value.saved).shape == studio.photo.shape
    finally:
        monkeypatch.chdir(studio.folder)
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_picture_that_cannot_be_encoded_is_a_plain_png(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = expected_picture(studio)
    original = pipeline.encode_picture

    def encode(path: Path, pixels: Any, *, like: Any = None, **more: Any) -> Any:
        if like is not None:
            raise SystemError("what an encoder does not expect")
        return original(path, pixels, **more)

    monkeypatch.setattr(pipeline, "encode_picture", encode)
    error = rescued(studio, output="out.tif")
    assert error.saved.name == "out.png"
    assert (read(error.saved) == expected).all()
    assert "what an encoder does not expect" in str(error)


def test_an_interrupted_run_goes_on_once_its_folder_is_back(
    studio: Studio, elsewhere: Path
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    (studio.folder / "out.png").mkdir()
    stop = stop_at(1, 4)

    def on_event(event: Event) -> None:
        if isinstance(event, Step) and not plan.folder.exists():
            plan.folder.write_text("in the way")
        stop(event)

    (studio.folder / "out.png").rmdir()
    with pytest.raises(RescuedRun) as caught:
        pipeline.run(plan, on_event)
    saved = caught.value.saved
    assert state_file(saved.parent).is_file()
    if saved.parent != plan.folder:
        plan.folder.unlink()
        shutil.move(saved.parent, plan.folder)
    finish(plan)
    found = results(studio)
    assert {name: found[name] for name in expected} == expected


def test_a_checkpoint_stays_where_only_the_picture_can_be_saved(
    studio: Studio, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = studio.plan(**changes(studio))
    expected = unbroken(studio, plan)
    original = os.replace
    full = [False]

    def replace(source: Any, target: Any) -> None:
        if full[0] and (Path(target).name != "out.png" or Path(target).parent == studio.folder):
            raise OSError(28, "No space left on device")
        original(source, target)

    stop = stop_at(1, 4)

    def on_event(event: Event) -> None:
        if isinstance(event, Step):
            full[0] = (event.item, event.step) >= (1, 3)
        stop(event)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(RescuedRun) as caught:
        pipeline.run(plan, on_event, checkpoint=0)
    assert caught.value.saved.is_relative_to(elsewhere / "work")
    full[0] = False
    finish(plan)
    assert results(studio) == expected
    assert not list(studio.folder.glob(".*"))
