"""Folders of small networks, each written once, and no download by chance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from instyle_midas.midas import Midas
from tests.plugins.instyle_midas import networks


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DPT."""
    return networks.save(tmp_path_factory.mktemp("dpt"), networks.dpt())


@pytest.fixture(scope="session")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.save(tmp_path_factory.mktemp("hybrid"), networks.hybrid())


@pytest.fixture(scope="session")
def depth_anything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = networks.depth_anything()
    return networks.save(tmp_path_factory.mktemp("anything"), made, **networks.ANYTHING)


@pytest.fixture(scope="session")
def midas(folder: Path) -> Midas:
    return networks.extractor(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder of its own, to be changed."""
    return Path(shutil.copytree(folder, tmp_path / "net"))
