"""The command: what it says when something is missing, and what it costs when it is not used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from instyle_core import InstyleError
from instyle_studio.command import studio
from tests.core.helpers.imports import HEAVY, imported_by


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("starlette", "uvicorn"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            done = CliRunner().invoke(studio, [])
            assert isinstance(done.exception, InstyleError)
            assert name in done.exception.what
            assert done.exception.hint == "pip install 'instyle[studio]'"


def test_its_help_costs_nothing() -> None:
    found = imported_by("from instyle_studio.command import studio; studio(['--help'])")
    assert not found & {*HEAVY, "starlette", "uvicorn", "pydantic"}


def test_the_server_imports_no_torch() -> None:
    assert not imported_by("import instyle_studio.server") & HEAVY


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "x"], ["a.jpg", "b.jpg"]])
def test_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(studio, arguments).exit_code == 2
