"""Small networks as ONNX files, and no download by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.instyle_salient import networks


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as U2-Net is published, for 32x32 pixels."""
    return networks.save(tmp_path_factory.mktemp("onnx") / "net.onnx")
