"""Programs on a terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from pathlib import Path

from tests.core.helpers.forks import Forked
from tests.core.helpers.studio import TOY


def terminal(code: str, columns: int, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run a Python program on a terminal; gives its exit status and everything that it drew."""
    hidden = {"COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    mine, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with Forked(
        code,
        *arguments,
        folder=Path(),
        path=(TOY,),
        out=os.dup(theirs),
        err=os.dup(theirs),
        input=theirs,
        environment={**kept, **variables},
    ) as process:
        drawn = b""
        try:
            while data := os.read(mine, 1 << 16):
                drawn += data
        except OSError:  # on Linux, the end
            pass
        os.close(mine)
        process.communicate()
    assert process.returncode is not None
    return process.returncode, drawn.decode()


def lines_of(drawn: str) -> list[str]:
    """What was drawn, line by line, without colors; lines that were drawn anew come again."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn))
