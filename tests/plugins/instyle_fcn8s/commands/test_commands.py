"""What all commands of the group have in common, and ``instyle fcn8s classes``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.imports import HEAVY, command, imported_by


@pytest.mark.parametrize("action", [("evaluate", "--data", "{voc}"), ("classes",)], ids=str)
def test_weights_that_are_none(
    instyle: Command, voc: Path, tmp_path: Path, action: tuple[str, ...]
) -> None:
    given = [part.format(voc=voc) for part in action]
    path = tmp_path / "nowhere.safetensors"
    assert_error(instyle("fcn8s", *given, "--weights", path), 3, str(path))
    path.write_bytes(b"no weights")
    assert_error(instyle("fcn8s", *given, "--weights", path), 3, str(path), "damaged")


def test_classes(instyle: Command, weights: Path) -> None:
    done = instyle("fcn8s", "classes", "--weights", weights)
    assert (done.status, done.out, done.err) == (0, "background\ndog\ncat\n", "")


@pytest.mark.parametrize("action", [(), ("train",), ("evaluate",), ("classes",)], ids=str)
def test_help_is_light(action: tuple[str, ...]) -> None:
    modules = imported_by(command("fcn8s", *action, "--help"))
    assert not modules & {*HEAVY, "lightning", "torchmetrics", "sklearn", "pydantic"}


def test_help_tells_all_commands(instyle: Command) -> None:
    done = instyle("fcn8s", "--help")
    assert done.status == 0
    for name in ("train", "evaluate", "classes"):
        assert f"\n  {name} " in done.out
    assert "fcn8s" in instyle("--help").out


@pytest.mark.parametrize(
    ("action", "missing"),
    [("train", "lightning"), ("train", "torchmetrics"), ("evaluate", "torchmetrics")],
)
def test_the_extra_is_missing(
    instyle: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    missing: str,
) -> None:
    ours = ("instyle_fcn8s.commands.", "instyle_fcn8s.training", "instyle_fcn8s.evaluation")
    ours += ("instyle_training.training", "instyle_training.learner", "instyle_training.metrics")
    ours += ("instyle_training.folder",)
    for name in [name for name in sys.modules if name.startswith((*ours, missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    more = ["-o", str(tmp_path / "out")] if action == "train" else []
    done = instyle("fcn8s", action, "--data", tmp_path, *more)
    assert_error(done, 1, f"need the package '{missing}'", "pip install 'instyle[train]'")
