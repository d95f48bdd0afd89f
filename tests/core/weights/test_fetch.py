"""Weights: shipped, cached or downloaded, and verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_core.errors import WeightsError
from instyle_core.weights.fetch import fetch, locate, verify
from instyle_core.weights.record import Weights
from tests.core.helpers.imports import imported_by
from tests.core.helpers.weights_server import WeightsServer, files, refuse, weights_of


def test_is_downloaded_once(server: WeightsServer, cache: Path) -> None:
    net = weights_of(server)
    assert locate(net) is None
    assert fetch(net) == cache / "net.bin" == locate(net)
    assert (cache / "net.bin").read_bytes() == server.body
    fetch(net)
    assert server.requests == 1
    assert files(cache) == ["net.bin"]


def test_a_prefix_of_the_hash_is_enough(server: WeightsServer) -> None:
    net = weights_of(server, sha256=weights_of(server).sha256[:8])
    path = fetch(net)
    verify(net)
    assert path.read_bytes() == server.body


# --- without a download ---------------------------------------------------------------------------


def test_offline(server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    error = refuse(server, "well")
    assert server.requests == 0
    assert "INSTYLE_OFFLINE" in error.what
    assert error.where == str(cache / "net.bin")
    assert "instyle models pull net-v1" in str(error.hint)
    assert server.url in str(error.hint)
    cache.mkdir()
    (cache / "net.bin").write_bytes(server.body)
    assert fetch(weights_of(server)) == cache / "net.bin"


def test_offline_can_be_switched_off(
    server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "0")
    assert fetch(weights_of(server)).is_file()


def test_a_file_that_is_there_is_trusted_until_verified(server: WeightsServer, cache: Path) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(b"tampered with")
    assert fetch(weights_of(server)) == cache / "net.bin"
    with pytest.raises(WeightsError, match="not the file 'net-v1' that was published") as caught:
        verify(weights_of(server))
    assert caught.value.where == str(cache / "net.bin")
    assert "delete it" in str(caught.value.hint)
    assert server.requests == 0
    (cache / "net.bin").write_bytes(server.body)
    verify(weights_of(server))


def test_verify_says_what_is_not_there(server: WeightsServer, cache: Path) -> None:
    with pytest.raises(WeightsError, match="not downloaded"):
        verify(weights_of(server))
    assert server.requests == 0


@pytest.fixture
def shipped(server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights in a package that must not be imported."""
    package = tmp_path / "site" / "heavy_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('was imported')")
    (package / "data").mkdir()
    (package / "data" / "net.bin").write_bytes(server.body)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return weights_of(server, file="data/net.bin", url=None, package="heavy_package")


def test_shipped_weights(
    shipped: Weights, server: WeightsServer, cache: Path, tmp_path: Path
) -> None:
    path = tmp_path / "site" / "heavy_package" / "data" / "net.bin"
    assert locate(shipped) == fetch(shipped) == path
    verify(shipped)
    path.write_bytes(b"tampered with")
    with pytest.raises(WeightsError, match="reinstall the package 'heavy_package'"):
        verify(shipped)
    path.unlink()
    with pytest.raises(WeightsError, match="does not have them"):
        fetch(shipped)
    assert server.requests == 0
    assert not cache.exists()


def test_package_is_missing(server: WeightsServer) -> None:
    lost = weights_of(server, url=None, package="no_such_package_anywhere")
    assert locate(lost) is None
    with pytest.raises(WeightsError, match="install or upgrade") as caught:
        fetch(lost)
    assert "no_such_package_anywhere" in caught.value.what


@pytest.mark.parametrize("module", ["instyle_core.weights.fetch", "instyle_core.cli.models"])
def test_import_is_light(module: str) -> None:
    heavy = {"torch", "pooch", "requests", "rich", "pydantic"}
    assert not imported_by(f"import {module}") & heavy
