"""Programs in processes that have torch from their first moment: forks of one that has loaded it.

Loading takes longer than what most tests run. For those whose point is how a program starts, there
is `tests.core.helpers.commands.start`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from types import ModuleType, TracebackType
from typing import IO

from tests.core.helpers.commands import MAIN
from tests.core.helpers.studio import TOY

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["cv2", "pydantic.main", "rich.console", "scipy.ndimage", "torch"])

#: A program.
PYTEST = "import sys, pytest; sys.exit(pytest.main())"

TIMEOUT_S = 120  # other programs may keep the processors busy


@dataclass
class _Program:
    code: str
    arguments: list[str]
    folder: Path
    #: Where standard output and error go; None for one that is closed.
    out: Connection | None
    err: Connection | None
    #: Where standard input comes from; None for nowhere.
    input: Connection | None
    path: list[str]
    environment: dict[str, str]

    def __call__(self) -> None:
        """Run it in this process, which is a fork."""
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:0] = self.path
        sys.argv = ["-c", *self.arguments]
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
        multiprocessing.set_start_method(None, force=True)  # what a program begins with
        if self.input is not None:
            os.dup2(self.input.fileno(), 0)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout, sys.stderr = (_stream(*each) for each in ((1, self.out), (2, self.err)))
        sys.modules["__main__"] = ModuleType("__main__")
        exec(self.code, vars(sys.modules["__main__"]))


def _stream(descriptor: int, target: Connection | None) -> IO[str] | None:
    """As Python makes its standard streams: one that is closed is None."""
    if target is None:
        os.close(descriptor)
        return None
    os.dup2(target.fileno(), descriptor)
    target.close()
    errors = "strict" if descriptor == 1 else "backslashreplace"
    return open(descriptor, "w", encoding="utf-8", errors=errors, closefd=False)


class Forked:
    """A program that runs, with the methods of `subprocess.Popen` that tests need.

    Args:
        code: of the program.
        arguments: of its command line.
        folder: is its working directory.
        path: folders to import from before all others.
        out: a descriptor that its standard output goes to; None: it is closed. By default, what is
            written is kept.
        err: the same for standard error.
        input: a descriptor that its standard input comes from; it is empty by default.
        environment: its variables; by default, those of this process.
    """

    #: For a standard stream whose output is kept.
    KEPT = -1

    def __init__(
        self,
        code: str,
        *arguments: str | Path,
        folder: Path,
        path: tuple[Path, ...] = (),
        out: int | None = KEPT,
        err: int | None = KEPT,
        input: int | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._printed = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        reading, writing = os.pipe()
        self.stderr = open(reading, encoding="utf-8")  # noqa: SIM115
        out = os.dup(self._printed.fileno()) if out == self.KEPT else out
        err = os.dup(writing) if err == self.KEPT else err
        os.close(writing)
        ends = [None if end is None else Connection(end) for end in (out, err, input)]
        words, places = ([str(each) for each in given] for given in (arguments, path))
        program = _Program(code, words, folder, *ends, places, dict(environment))
        self._process = _CONTEXT.Process(target=program)
        self._process.start()
        for end in ends:
            if end is not None:
                end.close()

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def communicate(self, timeout: float = TIMEOUT_S) -> tuple[str, str]:
        """Wait for the end; what was printed, and what of standard error was not read yet."""
        timer = Timer(timeout, self._process.kill)
        timer.start()
        err = self.stderr.read()
        self._process.join()
        timer.cancel()
        self.stderr.close()
        self._printed.seek(0)
        with self._printed:
            return self._printed.read(), err

    def __enter__(self) -> Forked:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()


def fork(*arguments: str | Path, folder: Path, **ends: int | None) -> Forked:
    """Start ``instyle``, with the toy plugin installed; `ends` are as in `Forked`."""
    return Forked(MAIN, *arguments, folder=folder, path=(TOY,), **ends)
