"""Folders of small networks, each written once, and no download by chance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.plugins.instyle_sam import networks


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with those of all networks."""
    folder = tmp_path_factory.mktemp("nets")
    for made in (networks.sam, networks.sam2, networks.sam2_video):
        networks.save_sam(folder / made.__name__, made())
    networks.clipseg(folder / "clipseg")
    networks.grounding_dino(folder / "grounding-dino")
    return folder


@pytest.fixture
def copies(nets: Path, tmp_path: Path) -> Path:
    """The same as folders of one's own, to be changed."""
    return Path(shutil.copytree(nets, tmp_path / "nets"))
