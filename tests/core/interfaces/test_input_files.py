"""Files that parameters name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instyle_core import InputFile, Params
from instyle_core.config.document import CommandLineText


class CutParams(Params):
    file: InputFile | None = None


def checked(file: Any, folder: Path) -> tuple[Path | None, list[Path]]:
    """The file as the parameters have it, and the files that the spec is known to read."""
    context: dict[str, Any] = {"folder": folder}
    params = CutParams.model_validate({"file": file}, context=context)
    return params.file, context.get("inputs", [])


def test_params_can_be_used_without_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mask.png").touch()
    assert CutParams(file=Path("mask.png")).file == tmp_path / "mask.png"
    with pytest.raises(ValidationError, match="no such file"):
        CutParams(file=Path("other.png"))


@pytest.mark.parametrize("written", ["mask.png", "./sub/../mask.png", Path("mask.png")])
def test_a_path_is_relative_to_the_specs_folder_and_one_of_its_inputs(
    tmp_path: Path, written: str | Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "mask.png").touch()
    assert checked(written, tmp_path) == (tmp_path / "mask.png", [tmp_path / "mask.png"])


def test_an_absolute_path_stays_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.png").touch()
    (tmp_path / "link.png").symlink_to("real.png")
    assert checked(tmp_path / "link.png", Path("/elsewhere"))[0] == tmp_path / "real.png"


def test_a_path_of_the_command_line_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mask.png").touch()
    assert checked(CommandLineText("mask.png"), Path("/elsewhere"))[0] == tmp_path / "mask.png"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").touch()
    assert checked("~/a.png", Path("/elsewhere"))[0] == tmp_path / "a.png"


def test_what_is_no_file_is_refused_with_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.symlink("loop", tmp_path / "loop")
    for written, what in [
        ("folder", "this is a folder, not a file"),
        ("missing.png", "no such file"),
        ("loop", "no such file"),
        ("~no-such-user/a.png", "no such file"),
    ]:
        with pytest.raises(ValidationError) as caught:
            checked(written, tmp_path)
        assert [e["msg"] for e in caught.value.errors()] == [f"{what}: {tmp_path / written}"]


def test_what_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        checked(5, tmp_path)
    assert [error["msg"] for error in caught.value.errors()] == [
        "should be the name of a file; it is 5"
    ]
