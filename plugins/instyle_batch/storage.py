"""Photos and pictures that are no files of this machine: those that an URL names, by fsspec."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instyle_batch.job import Job, Task
from instyle_core import InputError, InstyleError, atomic_write

if TYPE_CHECKING:
    from instyle_batch.inputs import Photo

#: The folder for what a batch keeps beside its pictures.
OWN = ".instyle-batch"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether a text is an URL such as ``s3://bucket/photos``."""
    return bool(_URL.match(text))


def listed(url: str, suffixes: Collection[str]) -> Iterator[Photo]:
    """The photos under an URL, or the one that it names.

    Raises:
        InputError: they cannot be listed.
    """
    raise NotImplementedError


def own_folder(output: str) -> Path:
    """The folder for what a batch keeps beside its pictures; it is made.

    Raises:
        InputError: it cannot be made.
    """
    folder = Path(output, OWN)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what, hint = f"the folder cannot be made: {error.strerror}", "choose another with -o"
        raise InputError(what, where=output, hint=hint) from error
    return folder


@dataclass(frozen=True)
class Files:
    """The files of a job on this machine.

    Attributes:
        photo: to read.
        output: to write.
        pair: to write; photo and picture for the contact sheet.
        keep: brings what was written to its place, if that is elsewhere.
    """

    photo: Path
    output: Path
    pair: Path
    keep: Callable[[], object]


@contextmanager
def at_hand(job: Job, task: Task) -> Iterator[Files]:
    """Give the files of a job as files of this machine.

    Raises:
        InputError: the photo cannot be fetched, or the folder of the output cannot be made.
    """
    output = Path(task.output, job.name)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made: {error.strerror}"
        raise InputError(what, where=str(output.parent)) from error
    pair = Path(task.output, OWN, "pairs", f"{job.name}.jpg")
    yield Files(Path(job.photo), output, pair, lambda: None)


def write(output: str, name: str, data: bytes) -> None:
    """Write a file into the folder of a batch, whole or not at all.

    Raises:
        InstyleError: it cannot be written.
    """
    path = Path(output, name)
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InstyleError(f"this cannot be written: {error.strerror}", where=str(path)) from error
