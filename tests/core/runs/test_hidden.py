"""Hidden folders: whose they are, how they are published, and what becomes of dead ones."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from instyle_core.runs.hidden import (
    HiddenFolder,
    alone_in,
    dead_folders,
    move_file,
    move_to,
    remove_dead,
    restore_replaced,
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.png.run"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_dead_once_nobody_holds_it(target: Path) -> None:
    one, other = HiddenFolder(target), HiddenFolder(target)
    assert dead_folders(target) == []
    one.release()
    assert dead_folders(target) == [one.path]
    remove_dead(other.path)
    assert other.path.is_dir()
    remove_dead(one.path)
    assert not one.path.exists()
    other.remove()
    assert names(target.parent) == []


def test_the_newest_comes_first(target: Path) -> None:
    folders = [HiddenFolder(target) for _ in range(3)]
    for folder, age in zip(folders, (50, 10, 90), strict=True):
        folder.release()
        os.utime(folder.path, (1e9 - age, 1e9 - age))
    assert dead_folders(target) == [folders[1].path, folders[0].path, folders[2].path]


def test_other_runs_have_other_folders(target: Path) -> None:
    folder = HiddenFolder(target)
    folder.release()
    assert dead_folders(target.with_name("out.jpg.run")) == []


def test_a_name_as_long_as_the_disk_takes(tmp_path: Path) -> None:
    target = tmp_path / ("x" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 4) + ".run")
    folder = HiddenFolder(target)
    (folder.path / "a").write_text("a")
    move_to(folder.path, target)
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_takes_the_place_of_another(target: Path, there: bool) -> None:
    if there:
        target.mkdir()
        (target / "old").write_text("old")
    folder = HiddenFolder(target)
    (folder.path / "new").write_text("new")
    move_to(folder.path, target)
    folder.remove()
    assert names(target) == ["new"]
    assert names(target.parent) == [target.name]


def test_the_old_folder_comes_back_if_the_new_one_cannot_be_moved(target: Path) -> None:
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(OSError, match="No such file"):
        move_to(target.parent / "missing", target)
    assert names(target) == ["old"]
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("published", [True, False])
def test_a_run_that_died_while_it_published(
    target: Path, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    """The old folder was out of the way; the new one was in its place already, or not."""
    target.mkdir()
    (target / "old").write_text("old")
    folder = HiddenFolder(target)
    (folder.path / "new").write_text("new")
    original, moves = os.replace, []

    class Killed(BaseException):
        pass

    def replace(source: Path, there: Path) -> None:
        if len(moves) == 1 + published:
            raise Killed
        moves.append(source)
        original(source, there)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        patch.setattr("shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            move_to(folder.path, target)
    assert any("replaced" in name for name in names(target.parent))
    restore_replaced(target)
    assert names(target) == (["new"] if published else ["old"])
    assert not any("replaced" in name for name in names(target.parent))


def test_links_and_files_by_such_names_are_nobodys_remains(target: Path, tmp_path: Path) -> None:
    folder = HiddenFolder(target)
    name = folder.path.name[: len(".instyle-") + 8]
    folder.remove()
    (tmp_path / "around").mkdir()
    (tmp_path / "around" / "mine").write_text("mine")
    (tmp_path / f"{name}-replaced-1").symlink_to(tmp_path / "around")
    (tmp_path / f"{name}-replaced-2").write_text("a file")
    (tmp_path / f"{name}-3").symlink_to(tmp_path / "around")
    restore_replaced(target)
    assert dead_folders(target) == []
    assert not os.path.lexists(target)
    assert names(tmp_path / "around") == ["mine"]


def test_one_after_the_other(tmp_path: Path) -> None:
    inside, together = [0], []

    def publish() -> None:
        for _ in range(50):
            with alone_in(tmp_path):
                inside[0] += 1
                together.append(inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1] * 200


def test_a_folder_that_cannot_be_locked_is_no_reason_to_stop(tmp_path: Path) -> None:
    with alone_in(tmp_path / "missing"):
        reached = True
    assert reached


def test_a_file_is_moved_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    (tmp_path / "new").write_bytes(b"new")
    move_file(tmp_path / "new", tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real" / "a.png").read_bytes() == b"new"
    assert names(tmp_path) == ["link.png", "real"]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second disk")
def test_a_file_is_moved_to_another_disk(tmp_path: Path) -> None:
    there = Path("/dev/shm", f"instyle-test-{os.getpid()}.png")
    (tmp_path / "new").write_bytes(b"new")
    try:
        move_file(tmp_path / "new", there)
        assert there.read_bytes() == b"new"
    finally:
        there.unlink(missing_ok=True)
    assert names(tmp_path) == []


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "new").write_bytes(b"new")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe.png").read_bytes()))
    reader.start()
    move_file(tmp_path / "new", tmp_path / "pipe.png")
    reader.join()
    assert read == [b"new"]
    assert names(tmp_path) == ["pipe.png"]
