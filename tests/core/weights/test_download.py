"""Downloads: tried again, checked, whole or not at all; and every way in which they can fail."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from instyle_core.errors import WeightsError
from instyle_core.weights.fetch import fetch
from tests.core.helpers.weights_server import WeightsServer, files, refuse, weights_of


def python(code: str) -> subprocess.Popen[str]:
    """Run code in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )


# --- downloads that work --------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "total"), [("well", 2**20), ("no length", None)])
def test_progress_counts_bytes(server: WeightsServer, answer: str, total: int | None) -> None:
    server.answers = (answer,)
    seen: list[tuple[int, int | None]] = []
    fetch(weights_of(server), on_progress=lambda *progress: seen.append(progress))
    counts = [done for done, _ in seen]
    assert len(set(counts)) > 2
    assert counts == sorted(counts)
    assert counts[-1] == len(server.body)
    assert {total for _, total in seen} == {total}


@pytest.mark.parametrize("answers", [("break", "break", "well"), ("500", "well")])
def test_tries_again(server: WeightsServer, cache: Path, answers: tuple[str, ...]) -> None:
    server.answers = answers
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert server.requests == len(answers)
    assert files(cache) == ["net.bin"]


def test_two_processes_at_once(server: WeightsServer, cache: Path) -> None:
    server.answers = ("meet",)
    code = f"""
        from instyle_core.weights.record import Weights
        from instyle_core.weights.fetch import fetch
        print(fetch({weights_of(server)!r}))
    """
    both = [python(code), python(code)]
    assert [process.communicate(timeout=30)[0].strip() for process in both] == [
        str(cache / "net.bin")
    ] * 2
    assert server.requests == 2
    assert (cache / "net.bin").read_bytes() == server.body
    assert files(cache) == ["net.bin"]


# --- downloads that fail --------------------------------------------------------------------------


def test_connection_breaks_off(server: WeightsServer, cache: Path) -> None:
    error = refuse(server, "break")
    assert server.requests == 3
    assert "IncompleteRead" in error.what
    assert error.where == server.url
    assert str(cache / "net.bin") in str(error.hint)


def test_other_bytes_are_not_tried_again(server: WeightsServer, cache: Path) -> None:
    error = refuse(server, "lie", "well")
    assert server.requests == 1
    assert hashlib.sha256(server.body[::-1]).hexdigest() in error.what
    assert weights_of(server).sha256 in error.what
    assert error.where == server.url
    assert str(cache / "net.bin") in str(error.hint)


def test_a_404_is_not_tried_again(server: WeightsServer) -> None:
    error = refuse(server, "404", "well")
    assert server.requests == 1
    assert error.what == (
        "the weights 'net-v1' could not be downloaded: the server answered 404 Not Found"
    )


def test_a_500_that_stays(server: WeightsServer) -> None:
    assert "answered 500" in refuse(server, "500").what
    assert server.requests == 3


def test_connection_is_refused(cache: Path, server: WeightsServer) -> None:
    server.close()
    error = refuse(server)
    assert "Connection refused" in error.what
    assert "Max retries" not in error.what
    assert error.exit_status == 3


def test_server_hangs(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instyle_core.weights.download._TIMEOUT_S", 0.1)
    assert "timed out" in refuse(server, "hang").what
    assert server.requests == 3


def test_interruption_leaves_nothing(server: WeightsServer, cache: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(weights_of(server), on_progress=interrupt)
    assert files(cache) == []


def test_cache_cannot_be_written(server: WeightsServer, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="could not be stored") as caught:
        fetch(weights_of(server))
    assert caught.value.where == str(cache / "net.bin")
    assert "INSTYLE_CACHE" in str(caught.value.hint)
    assert server.url in caught.value.what


def test_disk_is_full(server: WeightsServer, cache: Path) -> None:
    pytest.importorskip("resource")
    process = python(f"""
        import resource
        from instyle_core.weights.record import Weights
        from instyle_core.weights.fetch import (WeightsError, fetch)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # writing more is an error
        try:
            fetch({weights_of(server)!r})
        except WeightsError as error:
            print(error.what)
    """)
    assert "could not be stored: File too large" in process.communicate(timeout=30)[0]
    assert server.requests == 1
    assert files(cache) == []


def test_the_permissions_of_the_file_follow_the_umask(server: WeightsServer, cache: Path) -> None:
    before = os.umask(0o027)
    try:
        fetch(weights_of(server))
    finally:
        os.umask(before)
    assert (cache / "net.bin").stat().st_mode & 0o777 == 0o640
