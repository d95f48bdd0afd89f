"""Standard output and error that outlive whoever reads them.

A run may take a night, and its terminal may be gone by then, its log full, or the program that
reads its lines ended. What was painted is worth more than what is told of it, so that writing here
never raises an error.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

from instyle_core.errors import InputError


class Surviving(io.RawIOBase):
    """Passes bytes on to a stream until that fails, and drops them from then on.

    Args:
        stream: a binary stream; None for one that was closed before the program began.

    Attributes:
        failure: what went wrong; None as long as everything arrived.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        return super().fileno() if self._stream is None else self._stream.fileno()

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                if self._stream is None:
                    raise ValueError("it is closed")
                # A stream that does not block takes nothing while it is full, and says None.
                while (written := self._stream.write(data)) is None:
                    time.sleep(0.01)
                return written
            except (OSError, ValueError) as error:
                self.failure = error
        return len(data)


def take_output() -> Surviving:
    """Standard output for the caller alone; whatever else is printed goes to standard error.

    That is so until the program ends, since a library in C may keep what it prints until then.

    Raises:
        InputError: it is closed.
    """
    sys.stdout.flush()
    try:
        number = sys.stdout.fileno()
    except OSError as error:
        raise InputError("standard output is closed", hint="name a file instead") from error
    own = Surviving(io.FileIO(os.dup(number), "w"))
    os.dup2(2, number)
    sys.stdout = sys.stderr
    return own


@contextmanager
def surviving() -> Iterator[Surviving]:
    """Let standard output and error be streams that survive; gives that of standard output."""
    _reserve_descriptors()
    out, output = _wrapped(sys.stdout)
    err, _ = _wrapped(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield output
        finally:
            out.flush()
            err.flush()


def _reserve_descriptors() -> None:
    """Open what the shell has closed of the descriptors 0, 1 and 2.

    Otherwise the next file to be opened gets one of them, such as the picture, and whatever a
    library prints goes into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _wrapped(stream: TextIO | None) -> tuple[TextIO, Surviving]:
    """A text stream that survives, and the one below it."""
    if stream is not None and not hasattr(stream, "buffer"):
        return stream, Surviving(None)  # in memory, such as that of a test
    with suppress(OSError, ValueError):
        stream and stream.flush()
    # Unbuffered, so that nothing stays behind that cannot be written when Python ends.
    below = Surviving(stream and getattr(stream.buffer, "raw", stream.buffer))
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "strict")
    if errors == "strict":
        errors = "backslashreplace"  # a file's name may have letters that the encoding lacks
    buffer = io.BufferedWriter(below)
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=True), below
