"""Running ``instyle``: in this process, by the fixture `instyle`, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.core.helpers.studio import TOY

ESCAPE = "\x1b"

#: The program.
MAIN = "from instyle_core.cli import main; main()"


@dataclass
class Done:
    """What a command came to: its exit status and what it printed."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


def start(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    """Start ``instyle`` in a process of its own, with the toy plugin installed."""
    # The tests may be run by nohup, which ignores SIGHUP.
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); {MAIN}"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_error(done: Done, status: int, *words: str, hint: bool = True) -> None:
    """What is wrong, where and what to do, on standard error alone."""
    assert done.status == status
    assert done.out == ""
    assert ESCAPE not in done.err
    assert "Traceback" not in done.err
    assert "should not happen" not in done.err
    first, *rest = done.err.splitlines()
    assert first.startswith("error: ")
    for word in words:
        assert word in done.err
    if hint:
        assert rest
        assert all(line.startswith(("  ", "error: ")) for line in rest)
