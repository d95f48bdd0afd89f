"""Commands whose output nobody reads, or that cannot be written."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from instyle_core.cli.streams import Surviving
from tests.core.helpers.commands import shell
from tests.core.helpers.forks import fork
from tests.core.helpers.segments import STENCIL
from tests.core.helpers.studio import Studio, listing

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")

COMMANDS = {
    "help": "--help",
    "plugins": "plugins list",
    "models": "models list --json",
    "schema": "pipeline schema",
    "init": "pipeline init -o -",
    "segment": f"segment photo.png --use '{STENCIL}'",
    "run": "pipeline run spec.yaml --json",
}

#: How standard output is lost, and what is said of it.
LOST = {
    ">/dev/full": "error: standard output could not be written: No space left on device\n",
    ">&-": "error: standard output could not be written: it is closed\n",
    "| head -c0": "",
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("command", ["help", "plugins", "schema", "init"])
def test_output_that_is_lost_is_told_in_a_sentence(studio: Studio, command: str, lost: str) -> None:
    assert shell(f"instyle {COMMANDS[command]} {lost}", studio.folder) == (1, "", LOST[lost])


def lost_stream(lost: str) -> int | None:
    """The descriptor of a stream that is lost as a shell would lose it; None if it is closed."""
    if "/dev/full" in lost:
        return os.open("/dev/full", os.O_WRONLY)
    if "&-" in lost:
        return None
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("command", ["segment", "run"])
def test_what_is_done_stays_done(studio: Studio, command: str, lost: str) -> None:
    studio.spec()
    arguments = shlex.split(COMMANDS[command])
    process = fork(*arguments, folder=studio.folder, out=lost_stream(lost))
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.endswith(LOST[lost])
    for word in ("Traceback", "Exception", "Errno"):
        assert word not in err
    if command == "segment":
        assert (studio.folder / "photo-segments.png").is_file()
    else:
        assert {"out.png", "out.png.run/run.json"} <= listing(studio.folder).keys()


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", "2> >(head -c0)"])
def test_what_is_told_may_get_lost(studio: Studio, lost: str) -> None:
    status, out, err = shell(f"instyle {COMMANDS['plugins']} {lost}", studio.folder)
    assert (status, err) == (0, "")
    assert out


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", "2> >(head -c0)"])
@pytest.mark.parametrize("command", ["segment", "run"])
def test_what_is_told_of_the_work_may_get_lost(studio: Studio, command: str, lost: str) -> None:
    studio.spec()
    arguments = shlex.split(COMMANDS[command])
    process = fork(*arguments, folder=studio.folder, err=lost_stream(lost))
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out
    if command == "run":
        assert (studio.folder / "out.png").is_file()


def test_an_error_that_cannot_be_told_keeps_its_status(studio: Studio) -> None:
    studio.spec(size=1)
    for lost in ("2>/dev/full", "2>&-", ">&- 2>&-"):
        assert shell(f"instyle pipeline run spec.yaml {lost}", studio.folder) == (2, "", "")


def test_both_go_away_in_the_middle(studio: Studio) -> None:
    studio.spec()
    line = "FORCE_COLOR=1 instyle pipeline run spec.yaml 2>&1 | head -c1"
    status, out, err = shell(line, studio.folder)
    assert (len(out), err) == (1, "")
    assert status in (0, 1)
    assert (studio.folder / "out.png").is_file()


def test_a_terminal_that_goes_away_in_the_middle(tmp_path: Path) -> None:
    """A thread draws the bar; its errors would be printed, and the painting has to go on."""
    code = """
import sys, time
from pathlib import Path
from instyle_core.cli.render import RunDisplay, show_error
from instyle_core.cli.streams import surviving
from instyle_core.errors import InputError
from instyle_core.events import Note, StageStarted, Step
with surviving():
    with RunDisplay() as display:
        assert display._live
        display(StageStarted("stylize"))
        sys.stdin.read(1)
        for number in range(2, 5):
            display(Step(None, number, 9, (4, 4), (0, 0, 4, 4), {"a": 1.0}, 1.0, 3.0, None))
            display(Note("there is none to read this"))
            time.sleep(0.15)
    show_error(InputError("nor this"))
Path("painted").touch()
"""
    mine, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        assert os.read(mine, 1)
        os.close(mine)
        out, _ = process.communicate(b"x", timeout=60)
    assert (process.returncode, out) == (0, b"")
    assert (tmp_path / "painted").exists()


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = """
import os
from instyle_core.cli.streams import surviving
with surviving(), open("picture.png", "wb", buffering=0) as file:
    file.write(b"painted")
    for descriptor in (1, 2):
        os.write(descriptor, b"a library warns")
"""
    assert shell("instyle <&- >&- 2>&-", tmp_path, code) == (0, "", "")
    assert (tmp_path / "picture.png").read_bytes() == b"painted"


class Slow:
    """A stream that takes three bytes at a time, and nothing every other time."""

    def __init__(self) -> None:
        self.taken = b""
        self.full = False
        self.closed = False

    def write(self, data: bytes) -> int | None:
        self.full = not self.full
        if self.full:
            return None
        self.taken += bytes(data[:3])
        return len(data[:3])


def test_a_stream_that_is_full_for_a_moment_is_waited_for() -> None:
    slow = Slow()
    survivor = Surviving(slow)
    assert [survivor.write(b"abcdef"), survivor.write(b"def")] == [3, 3]
    assert (slow.taken, survivor.failure) == (b"abcdef", None)


@pytest.mark.parametrize("error", [OSError(5, "gone"), ValueError("closed"), BrokenPipeError()])
def test_nothing_is_tried_again_after_a_failure(error: Exception) -> None:
    tries = []

    class Failing(Slow):
        def write(self, data: bytes) -> int:
            tries.append(bytes(data))
            raise error

    survivor = Surviving(Failing())
    assert [survivor.write(b"ab"), survivor.write(b"cde")] == [2, 3]
    assert tries == [b"ab"]
    assert survivor.failure is error
