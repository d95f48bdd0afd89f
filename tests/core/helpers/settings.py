"""Settings of a user."""

from __future__ import annotations

from pathlib import Path

import pytest


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """Write the user's file of settings; gives its path."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    path = folder / "config" / "instyle" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    return path
