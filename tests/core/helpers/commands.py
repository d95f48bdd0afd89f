"""Running ``instyle``: in this process, by the fixture `instyle`, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def start(*arguments: str | Path, folder: Path, **streams: Any) -> subprocess.Popen[str]:
    """Start ``instyle`` in a process of its own, with the toy plugin installed.

    Standard output and error are pipes, and standard input is that of the tests, unless `streams`
    has others, as `subprocess` takes them.
    """
    # The tests may be run by nohup, which ignores SIGHUP.
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); {MAIN}"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *sys.path])},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


MAIN = "from instyle_core.cli import main; main()"


def shell(line: str, folder: Path, code: str = MAIN) -> tuple[int, str, str]:
    """What a line of bash comes to, in which `instyle` is a process of its own."""
    path = os.pathsep.join([str(TOY), *sys.path])
    instyle = f"set -o pipefail; instyle() {{ '{sys.executable}' -c '{code}' \"$@\"; }}; "
    done = subprocess.run(
        ["bash", "-c", instyle + line],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


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
