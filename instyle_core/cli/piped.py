"""Pictures by standard input and output, which `-` stands for in place of the name of a file.

Only commands know of them: all else is given temporary files in their places.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from instyle_core.cli.streams import Surviving, take_output
from instyle_core.errors import InputError, InstyleError, InterruptedRun, RescuedRun
from instyle_core.optimization.interrupts import raising

if TYPE_CHECKING:
    from instyle_core.config.document import Document

#: What standard input or output is called.
DASH = "-"

_BLOCK = 1 << 20  # bytes


class Piped:
    """Stands for standard input and output, as far as a command is told to use them.

    It is a context manager. At its end the temporary files are removed, also if a signal ends the
    program. Only a picture that could not be handed on stays.

    Attributes:
        photo: the file with what comes from standard input; None if it is not used.
        picture: the file with what is to go to standard output; likewise.
    """

    photo: Path | None = None
    picture: Path | None = None

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._out: Surviving | None = None

    def __bool__(self) -> bool:
        return self._folder is not None

    def __enter__(self) -> Piped:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stack:
            if isinstance(error, RescuedRun) and self._folder in error.saved.parents:
                if self.photo:
                    self.photo.unlink()
            elif self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)

    # --- names ------------------------------------------------------------------------------------

    def source(self, path: Path) -> Path:
        """The file to read a photo from: the given one, or an empty one until `read` fills it."""
        if str(path) == DASH:
            path = self.photo = self._file("standard input")
            path.touch()
        return path

    def target(self, path: Path) -> Path:
        """The file to write a picture to: the given one, or a PNG that `deliver` hands on.

        Raises:
            InputError: standard output is asked for a second time.
        """
        if str(path) == DASH:
            if self.picture:
                what = "two pictures would both go to standard output"
                raise InputError(what, hint="name a file for one of them")
            path = self.picture = self._file("standard output.png")
        return path

    def replace(self, document: Document) -> None:
        """Put the temporary files into a spec."""
        data = document.data if isinstance(document.data, dict) else {}
        for key, file in (("content", self.source), ("output", self.target)):
            if data.get(key) == DASH:
                document.assign(key, str(file(Path(DASH))), document.place((key,)))

    def _file(self, name: str) -> Path:
        if self._folder is None:
            self._stack.enter_context(raising())
            try:
                self._folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="instyle-")))
            except OSError as error:
                what = f"there is no folder for temporary files: {error.strerror or error}"
                raise InstyleError(what, hint="TMPDIR names one") from error
        return self._folder / name

    # --- what goes through them -------------------------------------------------------------------

    def begin(self, max_megapixels: float, *, as_json: bool = False) -> None:
        """Take standard output if it is used, and then `read`.

        Args:
            max_megapixels: as for `read`.
            as_json: whether the command prints JSON.

        Raises:
            InputError: standard output is not there for a picture; or as `read`.
        """
        if self.picture:
            if as_json:
                what = "the JSON and the picture would both go to standard output"
                hint = "leave out --json, or name a file for the picture"
                raise InputError(what, where="--json", hint=hint)
            self._out = take_output()
            if self._out.isatty():
                what = "standard output is a terminal, which would show the picture as text"
                raise InputError(what, hint="redirect it, for example with > painted.png")
        self.read(max_megapixels)

    def read(self, max_megapixels: float) -> None:
        """Read standard input to its end, if it is used.

        Args:
            max_megapixels: more bytes than a picture of that many 10^6 pixels needs are refused.

        Raises:
            InputError: nothing comes from it, or too much, or it cannot be read.
            InstyleError: there is no room for a temporary file.
        """
        if self.photo is None:
            return
        from instyle_core.images.header import most_bytes

        size, most = 0, most_bytes(max_megapixels)
        try:
            with _input() as stream, self.photo.open("wb") as file:
                while data := _block(stream):
                    size += len(data)
                    if size > most:
                        raise _too_much(most, max_megapixels)
                    file.write(data)
        except OSError as error:
            what = f"standard input cannot be kept: {error.strerror or error}"
            hint = "make room there, or name another folder by TMPDIR"
            raise InstyleError(what, where=str(self.photo.parent), hint=hint) from error
        if not size:
            raise InputError("standard input is empty", hint="check the command before the pipe")

    def deliver(self, picture: Path) -> None:
        """Write a picture that is whole to standard output.

        Raises:
            InstyleError: it cannot be written; if its reader is gone, which knows, `SystemExit`.
        """
        assert self._out is not None
        try:
            with io.BufferedWriter(self._out) as writer:
                writer.write(picture.read_bytes())
        except KeyboardInterrupt as error:
            raise InterruptedRun("interrupted while the picture was written") from error
        failure = self._out.failure
        if isinstance(failure, BrokenPipeError):
            sys.exit(1)
        if failure:
            reason = getattr(failure, "strerror", None) or failure
            raise InstyleError(f"standard output could not be written: {reason}")


def _input() -> io.FileIO:
    """Standard input, unbuffered.

    Raises:
        InputError: nobody has put anything there.
    """
    hint = "pipe a photo in, for example with cat photo.jpg | instyle ..., or name a file"
    try:
        stream = io.FileIO(sys.stdin.fileno(), closefd=False)
    except (AttributeError, OSError, ValueError) as error:  # Python has None for a closed one
        raise InputError("standard input is closed", hint=hint) from error
    if stream.isatty():
        raise InputError("standard input is a terminal, not a photo", hint=hint)
    return stream


def _block(stream: io.FileIO) -> bytes:
    """Some bytes, once they are there; none at the end."""
    try:
        while (data := stream.read(_BLOCK)) is None:  # a stream that does not block
            time.sleep(0.01)
    except OSError as error:
        what = f"standard input cannot be read: {error.strerror or error}"
        raise InputError(what) from error
    return data


def _too_much(most: float, max_megapixels: float) -> InputError:
    what = (
        f"standard input has more than {most / 1e6:.4g} megabytes, which no picture within the "
        f"limit of {max_megapixels:g} megapixels needs"
    )
    return InputError(what, hint="the limit is called max_megapixels")
