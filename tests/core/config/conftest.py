"""Fixtures for the checks of specs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from instyle_core.config import plan
from tests.core.helpers.fake_plugins import PRESETS, RECORDS, Checker, registry_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of a spec; each is a picture of one pixel."""
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "painting.jpg", "other.jpg", "mask.png", "paintings/a.jpg"):
        Image.new("RGB", (1, 1)).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """Makes plans with the fake plugins and presets."""
    monkeypatch.setattr(plan, "preset_text", PRESETS.__getitem__)
    return Checker(folder, registry_of(RECORDS))
