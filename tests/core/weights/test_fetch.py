"""Weights: shipped, cached or downloaded, and verified."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from instyle_core.errors import CacheWarning, WeightsError
from instyle_core.weights.fetch import fetch, locate, obtain, verify
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
    assert "instyle models pull net-v1` without INSTYLE_OFFLINE" in str(error.hint)
    assert "(it downloads 1 MB)" in str(error.hint)
    assert server.url in str(error.hint)
    cache.mkdir()
    (cache / "net.bin").write_bytes(server.body)
    assert fetch(weights_of(server)) == cache / "net.bin"


def test_offline_can_be_switched_off(
    server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "0")
    assert fetch(weights_of(server)).is_file()


def test_hub_offline(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = refuse(server, "well")
    assert "HF_HUB_OFFLINE forbids" in error.what
    assert "without HF_HUB_OFFLINE" in str(error.hint)
    assert server.requests == 0


# --- damage ---------------------------------------------------------------------------------------


def damage(path: Path) -> None:
    """A disk fault: zeros in the body; size, time and inode are as they were."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes(64 * 1024))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def fetch_elsewhere(weights: Weights) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as the next run does it."""
    code = (
        "from instyle_core.weights.fetch import Weights, WeightsError, fetch\n"
        f"try: print(fetch({weights!r}))\nexcept WeightsError as error: print(error)"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )


def test_a_damaged_download_is_downloaded_again(server: WeightsServer, cache: Path) -> None:
    path = fetch(weights_of(server))
    damage(path)
    assert fetch_elsewhere(weights_of(server)).stdout.strip() == str(path)
    assert path.read_bytes() == server.body
    assert server.requests == 2
    assert files(cache) == ["net.bin"]


def test_a_damaged_download_is_told_where_no_download_is_allowed(
    server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(weights_of(server))
    damage(path)
    damaged = path.read_bytes()
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    said = fetch_elsewhere(weights_of(server)).stdout
    assert "not the file 'net-v1' that was published" in said
    assert str(path) in said
    assert "instyle models pull net-v1" in said
    assert path.read_bytes() == damaged
    with pytest.raises(WeightsError, match="that was published"):
        verify(weights_of(server))


def test_a_damaged_download_stays_until_there_is_another(
    server: WeightsServer, cache: Path
) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(b"saved by hand")
    error = refuse(server, "404", leaving=["net.bin"])
    assert "answered 404" in error.what
    assert (cache / "net.bin").read_bytes() == b"saved by hand"


def test_a_file_is_hashed_once_in_a_process(
    server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(server.body)
    fetch(weights_of(server))
    with monkeypatch.context() as patch:
        patch.setattr("instyle_core.weights.fetch.sha256_of", None)
        fetch(weights_of(server))
    (cache / "net.bin").write_bytes(b"another")
    fetch(weights_of(server))
    assert (cache / "net.bin").read_bytes() == server.body


def test_what_is_obtained_is_not_hashed(server: WeightsServer, cache: Path) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(b"anything")
    assert obtain(weights_of(server)) == cache / "net.bin"
    assert (cache / "net.bin").read_bytes() == b"anything"


# --- no cache -------------------------------------------------------------------------------------


def test_without_a_cache(
    server: WeightsServer, shipped: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", "~nosuch-user/x")
    assert fetch(shipped).is_file()
    with pytest.warns(CacheWarning, match="~nosuch-user/x"):
        assert locate(weights_of(server)) is None
    with pytest.raises(WeightsError, match="~nosuch-user/x") as caught:
        fetch(weights_of(server))
    assert "set INSTYLE_CACHE" in str(caught.value.hint)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids downloads, and there is no"):
        fetch(weights_of(server))
    assert server.requests == 0


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
