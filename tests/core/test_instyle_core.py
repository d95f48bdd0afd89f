"""What must answer at once imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.helpers.imports import HEAVY, command, imported_by

SPEC = Path(__file__).parents[2] / "docs" / "examples" / "one-object.yaml"


def test_the_test_sees_what_is_imported() -> None:
    assert "scipy" in imported_by("import scipy")


@pytest.mark.parametrize(
    "arguments",
    [
        ("plugins", "list"),
        ("plugins", "show", "vgg19"),
        ("pipeline", "validate", str(SPEC)),
        ("models", "list"),
    ],
)
def test_commands_that_compute_nothing(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("pipeline", "run", "--help")])
def test_help(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & {*HEAVY, "pydantic", "yaml", "rich"}


def test_the_package() -> None:
    assert not imported_by("import instyle_core") & {*HEAVY, "pydantic"}
    plugin = "from instyle_core import Plugin, hookimpl"
    assert not imported_by(plugin) & {*HEAVY, "pydantic"}
