"""What counts as a file of a run folder: plain files in it, and nothing that leads elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from instyle_core.runs.own_files import own_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("run", "around"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "a").write_text(name)
        (tmp_path / name / "inner" / "b").write_text(name)
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["a", "inner/b"])
def test_a_plain_file(folder: Path, name: str) -> None:
    assert own_file(folder, name) == folder / name
    (folder.parent / "link").symlink_to(folder)  # the user's own
    assert own_file(folder.parent / "link", name).read_text() == "run"


@pytest.mark.parametrize("name", ["../around/a", "inner/../../around/a", "inner", "linked/b", "l"])
def test_what_leads_elsewhere(folder: Path, name: str) -> None:
    (folder / "linked").symlink_to(folder.parent / "around" / "inner")
    (folder / "l").symlink_to(folder / "a")
    assert (folder / name).exists()
    with pytest.raises(OSError, match="no plain file of this folder"):
        own_file(folder, name)


@pytest.mark.parametrize("to", ["/dev/zero", "missing", "l"])
def test_links_to_devices_to_nothing_and_to_themselves(folder: Path, to: str) -> None:
    (folder / "l").symlink_to(to)
    with pytest.raises(OSError, match="no plain file of this folder"):
        own_file(folder, "l")


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="no plain file of this folder"):
        own_file(folder, "pipe")


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        own_file(folder, "missing")
