"""Weights: found, downloaded, checked; and every way in which that can fail."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from instyle_core.errors import WeightsError
from instyle_core.files import sha256_of
from instyle_core.weights.cache import cache_folder
from instyle_core.weights.fetch import fetch, locate, verify
from instyle_core.weights.record import Weights


def weights(server: Any, **changes: Any) -> Weights:
    """The server's file as weights."""
    fields = {
        "name": "net-v1",
        "file": "net.bin",
        "sha256": hashlib.sha256(server.body).hexdigest(),
        "megabytes": 1.0,
        "license": "CC0",
        "summary": "bytes",
        "url": server.url,
    }
    return Weights(**(fields | changes))


def files(folder: Path) -> list[str]:
    """All that is in a folder, hidden things included."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refuse(server: Any, *answers: str) -> WeightsError:
    """The error of a fetch that must fail and leave nothing behind."""
    server.answers = answers
    with pytest.raises(WeightsError) as caught:
        fetch(weights(server))
    assert files(cache_folder()) == []
    return caught.value


def python(code: str) -> subprocess.Popen[str]:
    """Run code in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )


# --- downloads that work --------------------------------------------------------------------------


def test_is_downloaded_once(server: Any, cache: Path) -> None:
    net = weights(server)
    assert locate(net) is None
    assert fetch(net) == cache / "net.bin" == locate(net)
    assert (cache / "net.bin").read_bytes() == server.body
    fetch(net)
    assert server.requests == 1
    assert files(cache) == ["net.bin"]


def test_a_prefix_of_the_hash_is_enough(server: Any) -> None:
    net = weights(server, sha256=weights(server).sha256[:8])
    path = fetch(net)
    verify(net)
    assert path.read_bytes() == server.body


@pytest.mark.parametrize(("answer", "total"), [("well", 2**20), ("no length", None)])
def test_progress_counts_bytes(server: Any, answer: str, total: int | None) -> None:
    server.answers = (answer,)
    seen: list[tuple[int, int | None]] = []
    fetch(weights(server), on_progress=lambda *progress: seen.append(progress))
    counts = [done for done, _ in seen]
    assert len(set(counts)) > 2
    assert counts == sorted(counts)
    assert counts[-1] == len(server.body)
    assert {total for _, total in seen} == {total}


@pytest.mark.parametrize("answers", [("break", "break", "well"), ("500", "well")])
def test_tries_again(server: Any, cache: Path, answers: tuple[str, ...]) -> None:
    server.answers = answers
    assert fetch(weights(server)).read_bytes() == server.body
    assert server.requests == len(answers)
    assert files(cache) == ["net.bin"]


def test_two_processes_at_once(server: Any, cache: Path) -> None:
    server.answers = ("meet",)
    code = f"""
        from instyle_core.weights.record import Weights
        from instyle_core.weights.fetch import fetch
        print(fetch({weights(server)!r}))
    """
    both = [python(code), python(code)]
    assert [process.communicate(timeout=30)[0].strip() for process in both] == [
        str(cache / "net.bin")
    ] * 2
    assert server.requests == 2
    assert (cache / "net.bin").read_bytes() == server.body
    assert files(cache) == ["net.bin"]


# --- downloads that fail --------------------------------------------------------------------------


def test_connection_breaks_off(server: Any, cache: Path) -> None:
    error = refuse(server, "break")
    assert server.requests == 3
    assert "IncompleteRead" in error.what
    assert error.where == server.url
    assert str(cache / "net.bin") in str(error.hint)


def test_other_bytes_are_not_tried_again(server: Any, cache: Path) -> None:
    error = refuse(server, "lie", "well")
    assert server.requests == 1
    assert hashlib.sha256(server.body[::-1]).hexdigest() in error.what
    assert weights(server).sha256 in error.what
    assert error.where == server.url
    assert str(cache / "net.bin") in str(error.hint)


def test_a_404_is_not_tried_again(server: Any) -> None:
    error = refuse(server, "404", "well")
    assert server.requests == 1
    assert error.what == (
        "the weights 'net-v1' could not be downloaded: the server answered 404 Not Found"
    )


def test_a_500_that_stays(server: Any) -> None:
    assert "answered 500" in refuse(server, "500").what
    assert server.requests == 3


def test_connection_is_refused(cache: Path, server: Any) -> None:
    server.close()
    error = refuse(server)
    assert "Connection refused" in error.what
    assert "Max retries" not in error.what
    assert error.exit_status == 3


def test_server_hangs(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instyle_core.weights.download._TIMEOUT_S", 0.1)
    assert "timed out" in refuse(server, "hang").what
    assert server.requests == 3


def test_interruption_leaves_nothing(server: Any, cache: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(weights(server), on_progress=interrupt)
    assert files(cache) == []


def test_cache_cannot_be_written(server: Any, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="could not be stored") as caught:
        fetch(weights(server))
    assert caught.value.where == str(cache / "net.bin")
    assert "INSTYLE_CACHE" in str(caught.value.hint)
    assert server.url in caught.value.what


def test_disk_is_full(server: Any, cache: Path) -> None:
    pytest.importorskip("resource")
    process = python(f"""
        import resource
        from instyle_core.weights.record import Weights
        from instyle_core.weights.fetch import (WeightsError, fetch)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # writing more is an error
        try:
            fetch({weights(server)!r})
        except WeightsError as error:
            print(error.what)
    """)
    assert "could not be stored: File too large" in process.communicate(timeout=30)[0]
    assert server.requests == 1
    assert files(cache) == []


# --- without a download ---------------------------------------------------------------------------


def test_offline(server: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    error = refuse(server, "well")
    assert server.requests == 0
    assert "INSTYLE_OFFLINE" in error.what
    assert error.where == str(cache / "net.bin")
    assert "instyle models pull net-v1" in str(error.hint)
    assert server.url in str(error.hint)
    cache.mkdir()
    (cache / "net.bin").write_bytes(server.body)
    assert fetch(weights(server)) == cache / "net.bin"


def test_offline_can_be_switched_off(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "0")
    assert fetch(weights(server)).is_file()


def test_a_file_that_is_there_is_trusted_until_verified(server: Any, cache: Path) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(b"tampered with")
    assert fetch(weights(server)) == cache / "net.bin"
    with pytest.raises(WeightsError, match="not the file 'net-v1' that was published") as caught:
        verify(weights(server))
    assert caught.value.where == str(cache / "net.bin")
    assert "delete it" in str(caught.value.hint)
    assert server.requests == 0
    (cache / "net.bin").write_bytes(server.body)
    verify(weights(server))


def test_verify_says_what_is_not_there(server: Any, cache: Path) -> None:
    with pytest.raises(WeightsError, match="not downloaded"):
        verify(weights(server))
    assert server.requests == 0


@pytest.fixture
def shipped(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights in a package that must not be imported."""
    package = tmp_path / "site" / "heavy_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('was imported')")
    (package / "data").mkdir()
    (package / "data" / "net.bin").write_bytes(server.body)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return weights(server, file="data/net.bin", url=None, package="heavy_package")


def test_shipped_weights(shipped: Weights, server: Any, cache: Path, tmp_path: Path) -> None:
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


def test_package_is_missing(server: Any) -> None:
    lost = weights(server, url=None, package="no_such_package_anywhere")
    assert locate(lost) is None
    with pytest.raises(WeightsError, match="install or upgrade") as caught:
        fetch(lost)
    assert "no_such_package_anywhere" in caught.value.what


# --- the rest -------------------------------------------------------------------------------------


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("INSTYLE_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("INSTYLE_CACHE")
    folder = cache_folder()
    assert folder.name == "weights"
    assert "instyle" in folder.parts
    assert not folder.exists()


def test_sha256_of(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": "1234567"},
        {"sha256": "g" * 64},
        {"sha256": "A" * 64},
        {"url": None},
        {"package": "also_a_package"},
    ],
)
def test_a_wrong_record_is_refused(server: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="net-v1"):
        weights(server, **wrong)


@pytest.mark.parametrize("module", ["instyle_core.weights", "instyle_core.cli.models"])
def test_import_is_light(module: str) -> None:
    process = python(f"""
        import sys, {module}
        print(sorted({{"torch", "pooch", "requests", "rich", "pydantic"}} & set(sys.modules)))
    """)
    assert process.communicate(timeout=30)[0].strip() == "[]"
