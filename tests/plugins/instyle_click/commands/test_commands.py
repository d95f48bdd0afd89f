"""What all commands of the group have in common."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.imports import HEAVY, command, imported_by


def test_weights_that_are_none(instyle: Command, voc: Path, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.safetensors"
    given = ("click", "evaluate", "--data", voc, "--weights", path)
    assert_error(instyle(*given), 3, str(path))
    path.write_bytes(b"no weights")
    assert_error(instyle(*given), 3, str(path), "damaged")


@pytest.mark.parametrize("action", [(), ("train",), ("evaluate",)], ids=str)
def test_help_is_light(action: tuple[str, ...]) -> None:
    modules = imported_by(command("click", *action, "--help"))
    assert not modules & {*HEAVY, "lightning", "torchmetrics", "sklearn", "pydantic"}


def test_help_tells_all_commands(instyle: Command) -> None:
    done = instyle("click", "--help")
    assert done.status == 0
    for name in ("train", "evaluate"):
        assert f"\n  {name} " in done.out
    assert "\n  click " in instyle("--help").out


def test_the_extra_is_missing(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ("instyle_click.commands.", "instyle_click.training", "instyle_training.training")
    ours += ("instyle_training.learner", "instyle_training.folder", "lightning")
    for name in [name for name in sys.modules if name.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    done = instyle("click", "train", "--data", tmp_path, "-o", tmp_path / "out")
    assert_error(done, 1, "need the package 'lightning'", "pip install 'instyle[train]'")
