"""A recipe is data that JSON can hold, and does not change."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from tests.core.helpers.imports import HEAVY, imported_by
from tests.plugins.instyle_training.small import PLAIN, RICH


def test_as_json() -> None:
    written = json.loads(json.dumps(asdict(RICH)))
    assert written == {**asdict(RICH), "scale": [0.8, 1.25]}
    assert written["optimizer"] == "sgd"


def test_it_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        PLAIN.epochs = 3  # type: ignore[misc]


def test_nothing_heavy_is_imported() -> None:
    assert not {*HEAVY, "lightning"} & imported_by("import instyle_training.recipe")
