"""The options of commands that train, and what a command gets of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from instyle_core import InstyleError
from instyle_training import options
from instyle_training.training import Hardware

GIVEN = ["--data", "voc", "-o", "out"]


def received(*arguments: str) -> dict[str, Any]:
    """What a command gets."""
    seen: dict[str, Any] = {}

    @click.command()
    @options.training(encoder="resnet18")
    @click.option("--own", default=1)
    def train(**given: Any) -> None:
        """Train."""
        seen.update(given)

    done = CliRunner().invoke(train, [*GIVEN, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return seen


def test_defaults() -> None:
    assert received() == {
        "data": Path("voc"),
        "sbd": None,
        "output": Path("out"),
        "encoder": "resnet18",
        "encoder_weights": "imagenet",
        "seed": 0,
        "resume": False,
        "export": None,
        "own": 1,
        "changes": {},
        "hardware": Hardware(),
    }


def test_all_of_them() -> None:
    recipe = ["--epochs", "3", "--batch", "2", "--learning-rate", "0.5", "--crop", "64"]
    where = ["--accelerator", "cpu", "--devices", "2", "--nodes", "3", "--strategy", "ddp"]
    more = ["--precision", "32-true", "--workers", "0", "--compile", "--own", "7", "--resume"]
    given = received(*recipe, *where, *more, "--seed", "5", "--export", "net.safetensors")
    assert given["changes"] == {
        "epochs": 3,
        "batch": 2,
        "learning_rate": 0.5,
        "crop": 64,
        "precision": "32-true",
    }
    assert given["hardware"] == Hardware("cpu", "2", 3, "ddp", 0, True)
    assert (given["own"], given["resume"], given["seed"]) == (7, True, 5)
    assert given["export"] == Path("net.safetensors")


@pytest.mark.parametrize("missing", ["lightning", "torchmetrics"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with (
        pytest.raises(InstyleError, match=f"need the package '{missing}'") as caught,
        options.extra(),
    ):
        __import__(missing)
    assert "instyle[train]" in str(caught.value.hint)
