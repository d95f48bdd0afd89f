"""A folder that is watched: real files, written, moved, replaced and removed meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from instyle_batch import watch
from instyle_batch.inputs import photos
from instyle_batch.job import Job, Outcome, Task
from instyle_batch.photo import paint
from instyle_batch.report import Report
from instyle_batch.watch import Watch
from instyle_core import InputError, InstyleError
from tests.core.helpers.commands import Command, assert_error, start
from tests.core.helpers.studio import Studio, listing, noise, save

#: Seconds in which a loaded machine has told of a change, and a file is at rest.
LONG = 20.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watch, "REST_S", 0.6)
    made = tmp_path / "photos"
    made.mkdir()
    return made


class Clock:
    """Time that passes as real time does, and in leaps."""

    time = staticmethod(time.time)

    def __init__(self) -> None:
        self.leap = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.leap


@pytest.fixture
def clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Files are at rest after an hour."""
    monkeypatch.setattr(watch, "REST_S", 3600.0)
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


@contextmanager
def watching(*folders: Path, styles: tuple[str, ...] = (), jobs: tuple[Job, ...] = ()) -> Iterator:
    with Watch([str(folder) for folder in folders], styles, jobs) as opened:
        yield opened


def come(opened: Watch, number: int = 1) -> list[Job]:
    """The next jobs, of which there must be so many."""
    jobs: list[Job] = []
    ends = time.monotonic() + LONG
    while len(jobs) < number and time.monotonic() < ends:
        jobs += opened.more(0.3)
    assert len(jobs) == number
    return jobs


def names(jobs: list[Job]) -> list[str]:
    return sorted(job.name for job in jobs)


def nothing_comes(opened: Watch) -> None:
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends:
        assert opened.more(0.3) == []


def old(path: Path, data: bytes = b"photo") -> Path:
    """Write a file whose time is past, elsewhere at first: it is moved in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent.parent / f"aside-{path.name}"
    aside.write_bytes(data)
    os.utime(aside, (1e9, 1e9))
    return aside.rename(path)


def test_what_is_there_comes_first_named_as_without_watching(folder: Path) -> None:
    for name in (
        "b.png",
        "sub/a.jpg",
        ".hidden.png",
        "b.png.run/mask.png",
        "notes.txt",
        ".x/a.png",
    ):
        old(folder / name)
    old(folder / "empty.png", b"")
    with watching(folder) as opened:
        jobs = come(opened, 2)
        nothing_comes(opened)
    found = [(name, photo) for name, photo in photos([str(folder)]) if name != "empty.png"]
    assert [(job.name, job.photo) for job in jobs] == found
    assert names(jobs) == ["b.png", "sub/a.jpg"]


def test_a_file_is_taken_once_it_is_whole(folder: Path, clock: Clock) -> None:
    with watching(folder) as opened:
        with (folder / "x.png").open("wb") as file:
            for piece in range(4):
                file.write(bytes([piece]) * 100)
                file.flush()
                assert opened.more(0.3) == []
                clock.leap += 3500
        assert opened.more(0.3) == []
        clock.leap += 3601
        (job,) = come(opened)
        assert (job.name, Path(job.photo).stat().st_size) == ("x.png", 400)
        clock.leap += 3601
        nothing_comes(opened)


def test_a_file_that_is_being_written_at_the_start_is_waited_for(
    folder: Path, clock: Clock
) -> None:
    (folder / "x.png").write_bytes(b"half")
    with watching(folder) as opened:
        assert opened.more(0.0) == []
        (folder / "x.png").write_bytes(b"half and half")
        clock.leap += 3601
        assert opened.more(0.3) == []
        clock.leap += 3601
        assert names(come(opened)) == ["x.png"]


def test_an_empty_file_is_taken_when_something_is_in_it(folder: Path) -> None:
    with watching(folder) as opened:
        (folder / "x.png").touch()
        nothing_comes(opened)
        (folder / "x.png").write_bytes(b"photo")
        assert names(come(opened)) == ["x.png"]


def test_a_file_that_is_moved_here_need_not_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "REST_S", 1e6)
    with watching(folder) as opened:
        old(folder / "x.png")
        assert names(come(opened)) == ["x.png"]


def test_renamed_replaced_touched_and_removed(folder: Path) -> None:
    with watching(folder) as opened:
        old(folder / "x.png")
        come(opened)
        (folder / "x.png").rename(folder / "y.png")
        assert names(come(opened)) == ["y.png"]
        old(folder / "new.tmp", b"other").rename(folder / "y.png")
        assert names(come(opened)) == ["y.png"]
        (folder / "y.png").write_bytes(b"another one")
        assert names(come(opened)) == ["y.png"]
        (folder / "y.png").chmod(0o600)
        (folder / "y.png").unlink()
        nothing_comes(opened)
        old(folder / "y.png")
        assert names(come(opened)) == ["y.png"]


def test_a_file_that_vanishes_before_its_turn_is_dropped(folder: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        old(folder / name)
    with watching(folder, styles=("ink.png", "oil.png")) as opened:
        first = opened.more(0.0)
        (folder / "a.png").unlink()
        (folder / "b.png").unlink()
        assert names(first + come(opened, 2)) == ["ink/a.png", "ink/c.png", "oil/c.png"]


def test_a_file_that_vanishes_while_it_is_waited_for_is_dropped(folder: Path, clock: Clock) -> None:
    with watching(folder) as opened:
        (folder / "x.png").write_bytes(b"photo")
        nothing_comes(opened)
        (folder / "x.png").unlink()
        clock.leap += 3601
        nothing_comes(opened)


def test_folders_that_come_and_go(folder: Path) -> None:
    with watching(folder) as opened:
        (folder / "new" / "deep").mkdir(parents=True)
        (folder / "new" / "deep" / "a.png").write_bytes(b"photo")
        assert names(come(opened)) == ["new/deep/a.png"]
        old(folder.parent / "aside" / "sub" / "b.png")
        (folder.parent / "aside").rename(folder / "moved")
        assert names(come(opened)) == ["moved/sub/b.png"]
        (folder / "moved" / "sub" / "c.png").write_bytes(b"photo")
        assert names(come(opened)) == ["moved/sub/c.png"]
        for name in (".hidden", "c.png.run"):
            old(folder / name / "x.png")
        shutil.rmtree(folder / "new")
        nothing_comes(opened)


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    old(folder.parent / "elsewhere" / "x.png")
    with watching(folder) as opened:
        (folder / "link").symlink_to(folder.parent / "elsewhere")
        old(folder.parent / "elsewhere" / "y.png")
        nothing_comes(opened)
        (folder / "z.png").symlink_to(folder.parent / "elsewhere" / "x.png")
        assert names(come(opened)) == ["z.png"]


def test_what_comes_while_the_watching_begins_is_not_missed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Watch._see_folder

    def see(self: Watch, path: str) -> None:
        old(folder / "before.png")
        real(self, path)
        old(folder / "after.png")

    monkeypatch.setattr(Watch, "_see_folder", see)
    with watching(folder) as opened:
        monkeypatch.setattr(Watch, "_see_folder", real)
        assert names(come(opened, 2)) == ["after.png", "before.png"]


def test_several_folders_and_a_link_to_one(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder.parent / "link").symlink_to(folder)
    with watching(folder.parent / "link", folder / "in") as opened:
        old(folder / "in" / "x.png")
        jobs = come(opened, 2)
    assert {(job.name, job.photo) for job in jobs} == {
        ("in/x.png", str(folder.parent / "link" / "in" / "x.png")),
        ("x.png", str(folder / "in" / "x.png")),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_utf_8(folder: Path) -> None:
    with watching(folder) as opened:
        name = os.path.join(os.fsencode(folder), b"\xff.png")
        with open(name, "wb") as file:
            file.write(b"photo")
        (job,) = come(opened)
        assert os.fsencode(job.photo) == name
        old(folder / "next.png")
        assert names(come(opened)) == ["next.png"]


def test_a_folder_that_is_removed_ends_the_watch(folder: Path) -> None:
    for is_made_again in (False, True):
        with watching(folder) as opened:
            shutil.rmtree(folder)
            if is_made_again:
                (folder.parent / "other").mkdir()
                (folder.parent / "other").rename(folder)
            with pytest.raises(InstyleError) as caught:
                come(opened)
        assert caught.value.where == str(folder)
        assert "not there any more" in caught.value.what
        folder.mkdir(exist_ok=True)


def test_two_photos_with_one_output(folder: Path) -> None:
    taken = Job("z.png", "/elsewhere/z.png")
    with watching(folder, jobs=(taken,)) as opened:
        old(folder / "x.heic")
        (first,) = come(opened)
        assert (first.name, first.problem) == ("x.heic.png", "")
        old(folder / "x.heic.png")
        (job,) = come(opened)
        assert job.name == first.name
        assert str(folder / "x.heic") in job.problem
        outcome = paint(job, Task("spec.yaml", str(folder.parent / "out")))
        assert (outcome.status, outcome.reason) == ("failed", job.problem)
        assert "problem" not in outcome.facts()
        report = Report()  # tells of both
        for told in (Outcome(first, "done"), outcome):
            report.add(told)
        assert report.counts == {"done": 1, "failed": 1}
        (folder / "x.heic").unlink()
        old(folder / "new.tmp", b"another").rename(folder / "x.heic.png")
        assert [job.problem for job in come(opened)] == [""]
        old(folder / "z.png")  # the other one is not there
        assert [job.problem for job in come(opened)] == [""]


def test_two_outputs_with_those_of_a_file_that_is_not_watched(folder: Path) -> None:
    other = old(folder.parent / "other" / "z.png")
    with watching(folder, jobs=(Job("z.png", str(other)),)) as opened:
        old(folder / "z.png")
        assert str(other) in come(opened)[0].problem


def test_a_folder_that_cannot_be_read_is_told_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watch.in_folder

    def in_folder(path: Path) -> Iterator[tuple[str, str]]:
        if path.name == "closed":
            raise InputError("the folder cannot be read: Permission denied", where=str(path))
        yield from real(path)

    monkeypatch.setattr(watch, "in_folder", in_folder)
    with watching(folder) as opened:
        (folder / "closed").mkdir()
        (job,) = come(opened)
        assert (job.name, job.problem) == ("closed", "the folder cannot be read: Permission denied")


def test_many_files_at_once(folder: Path) -> None:
    with watching(folder) as opened:
        for number in range(300):
            (folder / f"{number}.png").write_bytes(b"photo")
        assert names(come(opened, 300)) == sorted(f"{number}.png" for number in range(300))
        nothing_comes(opened)


def test_what_cannot_be_watched(
    studio: Studio, instyle: Command, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    batch = "batch", studio.spec(), "-o", studio.folder / "out", "--watch"
    assert_error(instyle(*batch, studio.folder / "photo.png"), 2, "watches folders", "none")
    styles = "--styles", folder / "a.png", "--styles", folder / "a.jpg"
    for style in ("a.png", "a.jpg"):
        (folder / style).write_bytes((studio.folder / "style.png").read_bytes())
    assert_error(instyle(*batch, folder, *styles), 2, "two styles")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert_error(instyle(*batch, folder), 1, "pip install 'instyle[watch]'")


def wait_until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 6 * LONG
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_a_command_that_watches_until_ctrl_c(studio: Studio) -> None:
    folder, out = studio.folder / "photos", studio.folder / "out"
    folder.mkdir()
    aside = studio.folder / "aside.png"
    os.utime(save(aside, noise(seed=1)), (1e9, 1e9))
    shutil.copy2(aside, folder / "first.png")
    spec = studio.spec()
    process = start("batch", spec, folder, "-o", out, "--watch", "--json", folder=studio.folder)
    try:
        wait_until((out / "first.png").exists)
        data = save(studio.folder / "second.png", noise(seed=2)).read_bytes()
        with (folder / "second.png").open("wb") as file:
            for part in (data[:1000], data[1000:]):
                file.write(part)
                file.flush()
                time.sleep(0.5)
        wait_until((out / "second.png").exists)
        (folder / "sub").mkdir()
        shutil.copy2(aside, folder / "sub" / "third.png")
        wait_until((out / "sub" / "third.png").exists)
        wait_until((out / ".instyle-batch" / "pairs" / "sub" / "third.png.jpg").exists)
        time.sleep(0.5)  # it waits for more
        process.send_signal(signal.SIGINT)
        printed, err = process.communicate(timeout=6 * LONG)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    rows = [json.loads(line) for line in printed.splitlines()]
    assert {row["name"]: row["status"] for row in rows} == {
        "first.png": "done",
        "second.png": "done",
        "sub/third.png": "done",
    }
    assert len(rows) == 3
    told = json.loads((out / "batch.json").read_text("utf-8"))
    assert told["counts"] == {"done": 3, "missing": 0}
    assert "batch.html" in listing(out)
