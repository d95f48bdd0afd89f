"""Downloads: tried again, checked, whole or not at all; and every way in which they can fail."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instyle_core.errors import WeightsError
from instyle_core.weights.fetch import fetch
from tests.core.helpers.weights_server import WeightsServer, files, refuse, weights_of

CHUNK = 2**16


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


def test_eight_processes_at_once(server: WeightsServer, cache: Path) -> None:
    """One of them downloads, and the others wait for it."""
    server.answers = ("slow",)
    code = f"""
        from instyle_core.weights.record import Weights
        from instyle_core.weights.fetch import fetch
        print(fetch({weights_of(server)!r}))
    """
    all_of_them = [python(code) for _ in range(8)]
    printed = [process.communicate(timeout=60)[0].strip() for process in all_of_them]
    assert printed == [str(cache / "net.bin")] * 8
    assert server.requests == 1
    assert (cache / "net.bin").read_bytes() == server.body
    assert files(cache) == ["net.bin"]


def test_a_link_is_written_through(server: WeightsServer, cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (cache / "net.bin").symlink_to(tmp_path / "large-disk.bin")
    fetch(weights_of(server))
    assert (tmp_path / "large-disk.bin").read_bytes() == server.body
    assert files(cache) == ["net.bin"]


def test_leftovers_of_killed_processes_are_removed(server: WeightsServer, cache: Path) -> None:
    cache.mkdir()
    names = [".0123456789abcdef.pth", "other.bin.0123.part", ".fedcba9876543210.pth", "mine.pth"]
    for name in names:
        (cache / name).touch()
    for name in (*names[:2], "mine.pth"):
        month_ago = time.time() - 30 * 86400
        os.utime(cache / name, (month_ago, month_ago))
    fetch(weights_of(server))
    assert files(cache) == [".fedcba9876543210.pth", "mine.pth", "net.bin"]


# --- downloads that go on where they stopped ------------------------------------------------------


def part_of(server: WeightsServer) -> str:
    return f"net.bin.{weights_of(server).sha256[:16]}.part"


def test_the_next_attempt_goes_on(server: WeightsServer, cache: Path) -> None:
    server.ranges, server.answers = True, ("break 300000", "break 400000", "well")
    seen: list[tuple[int, int | None]] = []
    fetch(weights_of(server), on_progress=lambda *progress: seen.append(progress))
    assert (cache / "net.bin").read_bytes() == server.body
    # Whole chunks are kept.
    assert server.starts == [0, 4 * CHUNK, (4 + 6) * CHUNK]
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {len(server.body)}
    assert files(cache) == ["net.bin"]


def test_the_next_run_goes_on(server: WeightsServer, cache: Path) -> None:
    server.ranges = True
    refuse(server, "break 300000", "500", leaving=[part_of(server)])
    asked = server.requests
    server.answers = ("well",)
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert server.starts[asked:] == [4 * CHUNK]
    assert files(cache) == ["net.bin"]


def test_a_process_that_is_killed_leaves_what_came(server: WeightsServer, cache: Path) -> None:
    server.ranges = True

    def interrupt(done: int, total: int | None) -> None:
        if done > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(weights_of(server), on_progress=interrupt)
    assert files(cache) == [part_of(server)]
    came = (cache / part_of(server)).read_bytes()
    assert len(came) > 500_000
    assert server.body.startswith(came)
    fetch(weights_of(server))
    assert server.starts == [0, len(came)]


@given(breaks=st.lists(st.integers(CHUNK, 2**18), min_size=1, max_size=12), ranges=st.booleans())
@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
def test_wherever_it_breaks(
    breaks: list[int], ranges: bool, server: WeightsServer, cache: Path
) -> None:
    """If something new arrives each time, it goes on as often as it takes."""
    shutil.rmtree(cache, ignore_errors=True)
    if not ranges:  # it starts anew each time
        breaks = sorted({count // CHUNK * CHUNK for count in breaks})
    server.ranges, server.starts = ranges, []
    server.answers = (*(f"break {count}" for count in breaks), "well")
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert files(cache) == ["net.bin"]


def leave_part(server: WeightsServer, cache: Path, content: bytes) -> None:
    cache.mkdir(exist_ok=True)
    (cache / part_of(server)).write_bytes(content)


def test_a_part_that_is_all_of_it(server: WeightsServer, cache: Path) -> None:
    server.ranges = True
    leave_part(server, cache, server.body)
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert server.starts == [len(server.body)]


@pytest.mark.parametrize("wrong", [b"other bytes", bytes(2**20), bytes(2**21)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_wrong_part_is_thrown_away(
    server: WeightsServer, cache: Path, wrong: bytes, ranges: bool
) -> None:
    server.ranges = ranges
    leave_part(server, cache, wrong)
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert server.starts == ([len(wrong), 0] if ranges else [len(wrong)])
    assert files(cache) == ["net.bin"]


@pytest.mark.parametrize(
    ("answers", "starts"),
    [
        (("break 70000", "lie", "well"), [0, CHUNK, 0]),  # the right part with other bytes
        (("break 70000", "elsewhere", "well"), [0, CHUNK, 0]),
        (("break 70000", "416", "well"), [0, CHUNK, 0]),
        (("break 70000", "short", "well"), [0, CHUNK, 0]),
    ],
)
def test_a_server_that_lies_about_the_rest(
    server: WeightsServer, cache: Path, answers: tuple[str, ...], starts: list[int]
) -> None:
    server.ranges, server.answers = True, answers
    assert fetch(weights_of(server)).read_bytes() == server.body
    assert server.starts == starts
    assert files(cache) == ["net.bin"]


@pytest.mark.parametrize("lie", ["lie", "short", "416"])
def test_a_server_that_always_lies_is_left(server: WeightsServer, lie: str) -> None:
    server.ranges = True
    error = refuse(server, "break 70000", lie)
    assert server.starts == [0, CHUNK, 0]
    assert ("416" if lie == "416" else "SHA-256") in error.what


def test_a_server_that_always_sends_another_part_is_left(server: WeightsServer) -> None:
    server.ranges = True
    refuse(server, *("break 70000", "elsewhere") * 9, leaving=[part_of(server)])
    assert server.starts == [0, CHUNK, 0]


def test_a_refusal_for_now_is_tried_again(server: WeightsServer) -> None:
    server.answers = ("429", "408", "well")
    assert fetch(weights_of(server)).read_bytes() == server.body


# --- downloads that fail --------------------------------------------------------------------------


def test_connection_breaks_off(server: WeightsServer, cache: Path) -> None:
    error = refuse(server, "break", leaving=[part_of(server)])
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
    monkeypatch.setattr("instyle_core.weights.connection._TIMEOUT_S", 0.1)
    assert "timed out" in refuse(server, "hang").what
    assert server.requests == 3


def test_cache_cannot_be_written(server: WeightsServer, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="could not be stored") as caught:
        fetch(weights_of(server))
    assert caught.value.where == str(cache / "net.bin")
    assert str(caught.value.hint).startswith("set INSTYLE_CACHE")
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
            print(error.what, error.hint)
    """)
    printed = process.communicate(timeout=30)[0]
    assert "could not be stored: File too large" in printed
    assert "make room there" in printed
    assert server.requests == 1
    assert files(cache) == []


def test_a_part_that_is_taken_away(server: WeightsServer, cache: Path) -> None:
    def take_away(done: int, total: int | None) -> None:
        (cache / part_of(server)).unlink(missing_ok=True)

    with pytest.raises(WeightsError, match="could not be stored: No such file"):
        fetch(weights_of(server), on_progress=take_away)
    assert files(cache) == []


def test_the_progress_of_another_process_is_shown(server: WeightsServer, cache: Path) -> None:
    """While its download is waited for."""
    leave_part(server, cache, bytes(1000))
    seen: list[tuple[int, int | None]] = []
    with (cache / part_of(server)).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def watch(done: int, total: int | None) -> None:
            seen.append((done, total))
            if len(seen) == 3:  # the other one is done
                (cache / "net.bin").write_bytes(server.body)
                fcntl.flock(other, fcntl.LOCK_UN)

        fetch(weights_of(server), on_progress=watch)
    assert seen == [(1000, None)] * 3
    assert server.requests == 0
    assert files(cache) == ["net.bin"]


def test_the_permissions_of_the_file_follow_the_umask(server: WeightsServer, cache: Path) -> None:
    before = os.umask(0o027)
    try:
        fetch(weights_of(server))
    finally:
        os.umask(before)
    assert (cache / "net.bin").stat().st_mode & 0o777 == 0o640
