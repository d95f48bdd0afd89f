"""The files of a job on this machine, also where photo or picture are under an URL.

They are fetched and brought whole. Of a picture and what belongs to it, the picture comes last:
where it is, its record is.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from instyle_batch.job import Job, Task
from instyle_batch.urls import (
    errors_in_words,
    exists,
    first_answer,
    is_url,
    joined,
    names,
    opened,
    put,
    remove,
)
from instyle_core import InputError, InstyleError, atomic_write

#: The folder for what a batch keeps beside its pictures.
OWN = ".instyle-batch"


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

    Of an earlier run under an URL, what `is_done` and `run` need to tell that it was finished, or
    to go on with it, is fetched; an empty file stands for its picture.

    Raises:
        InputError: the photo cannot be fetched, or the folder of the output cannot be made.
    """
    if not is_url(task.output):
        output = Path(task.output, job.name)
        _make(output.parent)
        pair = Path(task.output, OWN, "pairs", f"{job.name}.jpg")
        # Named by the job: an interrupted run goes on where its files have the same names.
        with _fetched(job.photo, Path(task.output, OWN, "photos", job.name)) as photo:
            yield Files(photo, output, pair, lambda: None)
        return
    with TemporaryDirectory(prefix="instyle-batch-", ignore_cleanup_errors=True) as made:
        folder = Path(os.path.realpath(made))
        output = folder / Path(job.name).name
        pair = folder / OWN / "pair.jpg"
        # In the output's folder, in which names are relative in the record of a run.
        with _fetched(job.photo, folder / OWN / "photo") as photo:
            remote = _Remote(task.output, job.name, output, pair)
            remote.recall()
            yield Files(photo, output, pair, remote.keep)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made: {error.strerror}"
        raise InputError(what, where=str(folder)) from error


@contextmanager
def _fetched(photo: str, folder: Path) -> Iterator[Path]:
    """A photo as a file; that of an URL is within a folder, which is removed in the end."""
    if not is_url(photo):
        yield Path(photo)
        return
    _make(folder)
    try:
        with errors_in_words(photo):
            files, path = opened(photo)
            file = folder / path.rsplit("/", 1)[-1]
            files.get_file(path, str(file))
        yield file
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Remote:
    """What a batch keeps of a job under an URL.

    Args:
        url: of the batch's output.
        name: of the job.
        output: the picture on this machine.
        pair: photo and picture for the contact sheet, likewise.
    """

    def __init__(self, url: str, name: str, output: Path, pair: Path) -> None:
        self._url = joined(url, name)
        with errors_in_words(self._url):
            self._files, self._top = opened(url)
        self._picture = f"{self._top}/{name}"
        self._folder = f"{self._picture}.run"
        self._pair = f"{self._top}/{OWN}/pairs/{name}.jpg"
        self._here = output, output.with_name(f"{output.name}.run"), pair
        self._has_earlier = False

    def recall(self) -> None:
        """Fetch the record of an earlier run, all of one that can go on.

        Raises:
            InputError: it cannot be fetched.
        """
        output, folder, pair = self._here
        with errors_in_words(self._url):
            self._files.invalidate_cache()
            record = folder / "run.json"
            folder.mkdir()
            try:
                self._files.get_file(f"{self._folder}/{record.name}", str(record))
            except FileNotFoundError:
                shutil.rmtree(folder)
                return
            self._has_earlier = True
            if _status(record) == "interrupted":
                for name in names(self._files, self._folder, ""):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    self._files.get_file(f"{self._folder}/{name}", str(folder / name))
            elif exists(self._files, self._picture):
                output.touch()
                pair.parent.mkdir(parents=True, exist_ok=True)
                pair.touch()

    def keep(self) -> None:
        """Bring the files of a run to their places, the picture last.

        An earlier picture is removed first, so that none is there beside the record of another.

        Raises:
            InputError: one of them cannot be written there.
        """
        output, folder, pair = self._here
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        new = {f"{self._folder}/{path.relative_to(folder).as_posix()}": path for path in found}
        with errors_in_words(self._url, "cannot be written here"):
            remove(self._files, self._picture)
            # Not if there is none: some stores then list all that is beside it.
            old = [*names(self._files, self._folder, "")] if self._has_earlier else []
            put(self._files, {**new, **({self._pair: pair} if pair.exists() else {})})
            for path in {f"{self._folder}/{name}" for name in old} - {*new}:
                remove(self._files, path)
            put(self._files, {self._picture: output})


def _status(record: Path) -> str | None:
    try:
        return json.loads(record.read_bytes())["status"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # it is as good as none


def write(output: str, name: str, data: bytes) -> None:
    """Write a file into the folder of a batch, whole or not at all.

    Raises:
        InstyleError: it cannot be written.
    """
    if is_url(output):
        # As a file first, since by its suffix a store tells browsers what it is.
        with errors_in_words(output, "cannot be written here"), TemporaryDirectory() as folder:
            files, top = opened(output)
            file = Path(folder, Path(name).name)
            file.write_bytes(data)
            put(files, {f"{top}/{name}": file})
        return
    path = Path(output, name)
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InstyleError(f"this cannot be written: {error.strerror}", where=str(path)) from error


def check_writable(url: str) -> None:
    """Find out whether files can be written under an URL, by writing and removing one.

    Raises:
        InputError: they cannot.
    """
    with errors_in_words(url, "cannot be written here"):
        files, top = opened(url)
        name = f"{OWN}/{secrets.token_hex(8)}"
        first_answer(lambda: write(url, name, b""))
        with suppress(Exception):  # who may not remove may write, which is enough for new pictures
            remove(files, f"{top}/{name}")
