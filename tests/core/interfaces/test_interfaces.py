"""The interfaces are there for what lists and validates plugins, before torch is."""

from __future__ import annotations

from pathlib import Path

import pytest

import instyle_core.interfaces
from tests.core.helpers.imports import HEAVY, imported_by

MODULES = sorted(
    path.stem
    for path in Path(instyle_core.interfaces.__file__).parent.glob("*.py")
    if path.stem != "__init__"
)


def test_all_of_them_import_nothing_heavy() -> None:
    assert "loss" in MODULES
    code = "\n".join(f"import instyle_core.interfaces.{name}" for name in MODULES)
    assert not imported_by(code) & {*HEAVY, "numpy", "PIL"}


@pytest.mark.parametrize("name", ["extractor", "loss", "merger", "ranker", "refiner", "segmenter"])
def test_what_a_plugin_implements_needs_no_pydantic(name: str) -> None:
    assert "pydantic" not in imported_by(f"import instyle_core.interfaces.{name}")
