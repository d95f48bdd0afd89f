"""Which trainings may be begun in a folder, and which may go on there."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from instyle_core import InputError
from instyle_training.folder import check_folder, write_settings
from tests.plugins.instyle_training.small import RICH


def settings(**changes: Any) -> dict[str, Any]:
    return {"recipe": asdict(RICH), "seed": 0, "classes": ("cat", "dog"), **changes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a training that has finished an epoch."""
    path = tmp_path / "a" / "training"
    write_settings(path, settings())
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "last.ckpt").touch()
    return path


def refused(folder: Path, given: dict[str, Any], *, resume: bool) -> str:
    with pytest.raises(InputError) as caught:
        check_folder(folder, given, resume=resume)
    assert caught.value.where == str(folder)
    assert caught.value.hint
    return caught.value.what


def test_settings_are_json(folder: Path) -> None:
    read = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert (read["classes"], read["recipe"]["scale"]) == (["cat", "dog"], [0.8, 1.25])


def test_a_new_folder(folder: Path, tmp_path: Path) -> None:
    check_folder(tmp_path / "other", settings(), resume=False)
    assert not (tmp_path / "other").exists()
    assert refused(tmp_path, settings(), resume=True) == "there is no training to go on with"
    (folder / "checkpoints" / "last.ckpt").unlink()  # it was stopped in its first epoch
    check_folder(folder, settings(), resume=False)


def test_the_same_settings(folder: Path) -> None:
    check_folder(folder, settings(), resume=True)
    assert refused(folder, settings(), resume=False) == "an earlier training is there"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 1}, "seed was 0, and is now 1"),
        ({"recipe": asdict(replace(RICH, crop=64))}, "crop was 48, and is now 64"),
        ({"recipe": asdict(replace(RICH, optimizer="adamw"))}, "optimizer was sgd, and is now"),
        ({"classes": ("cat",)}, r"classes was ['cat', 'dog'], and is now ['cat']"),
    ],
    ids=str,
)
def test_other_settings(folder: Path, changes: dict[str, Any], what: str) -> None:
    assert what in refused(folder, settings(**changes), resume=True)


def test_what_an_earlier_version_did_not_know(folder: Path) -> None:
    """A training goes on that began before there was an option."""
    recipe = {name: value for name, value in asdict(RICH).items() if name != "optimizer"}
    write_settings(folder, settings(recipe=recipe))
    check_folder(folder, settings(new=1), resume=True)
