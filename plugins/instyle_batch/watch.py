"""Folders that are watched: photos are taken once they are whole."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from instyle_batch.inputs import Photo, in_folder, is_photo, jobs_of
from instyle_batch.job import Job
from instyle_batch.urls import is_left_out, is_url
from instyle_core import InputError, InstyleError, first_line

#: A file is whole once its size and time have been at rest for so many seconds.
REST_S = 2.0

#: Milliseconds for which changes are waited for, and between two looks whether there are any.
_WAIT_MS, _LOOK_MS = 250, 125

#: What tells a file from the one that was there before: size, time and number.
_State = tuple[int, int, int]


class Watch:
    """Jobs for the photos in folders, those that are there and those that come; see `work.Source`.

    A photo is taken when its size and time have been at rest for `REST_S`; at once if its time is
    older than that when it is first seen, as with one that was moved here. One that changes
    comes again, by the same name.

    Args:
        folders: the folders.
        styles: as for `jobs_of`.
        jobs: what is to be done besides, whose outputs are taken.

    Raises:
        InputError: there is no folder.
        InstyleError: watchfiles is not installed.
    """

    def __init__(self, folders: Sequence[str], styles: Sequence[str], jobs: Iterable[Job]) -> None:
        try:
            import watchfiles  # noqa: F401
        except ImportError as error:
            hint = "pip install 'instyle[watch]'"
            raise InstyleError("--watch needs the package watchfiles", hint=hint) from error
        if not folders:
            what = "--watch watches folders, and none is among the inputs"
            raise InputError(what, hint="name a folder")
        # By the paths that changes are told with.
        self._folders = {os.path.realpath(folder): os.path.abspath(folder) for folder in folders}
        self._numbers = {folder: _number(folder) for folder in self._folders}
        jobs_of([("any.png", "any.png")], styles)  # which refuses styles that it cannot tell apart
        self._styles = styles
        self._outputs = {job.name: job.photo for job in jobs}
        self._ready: list[Job] = []
        #: Files, and folders to look into: how they were when last seen; and when to look again.
        self._waiting: dict[str, _State] = {}
        self._due: list[tuple[float, str]] = []
        self._taken: dict[str, _State] = {}
        self._changes: Generator[set[Any]]

    def __enter__(self) -> Watch:
        self._begin()
        return self

    def _begin(self) -> None:
        from watchfiles import watch

        self._changes = watch(
            *self._folders,
            watch_filter=None,
            debounce=_WAIT_MS,
            step=_LOOK_MS,
            rust_timeout=_WAIT_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,  # a folder that cannot be read is told of below
        )
        try:
            next(self._changes)  # from now on, nothing is missed
        except (OSError, RuntimeError) as error:
            what = f"the folders cannot be watched: {first_line(error)}"
            hint = "let the system watch more files, or set WATCHFILES_FORCE_POLLING=1"
            raise InstyleError(what, where=", ".join(self._folders.values()), hint=hint) from error
        for folder in self._folders:
            self._see_folder(folder)

    def __exit__(self, *_: object) -> None:
        self._changes.close()

    def more(self, wait: float) -> list[Job]:
        """The next job, in a list; waits for some seconds if there is none.

        One at a time, so that a photo that vanishes before its turn is not tried.

        Raises:
            InstyleError: a folder is not there any more.
        """
        ends = time.monotonic() + wait
        while True:
            job = self._next()
            if job:
                return [job]
            try:
                for change, path in next(self._changes):
                    if path in self._folders and change.name == "deleted":
                        self._numbers[path] = _GONE  # and perhaps made again, but not watched
                    self._see_changed(path)
            except RuntimeError:  # of a name that is no UTF-8, watchfiles cannot tell
                self._begin()
            self._check_folders()
            if time.monotonic() >= ends:
                job = self._next()
                return [job] if job else []

    def _check_folders(self) -> None:
        for folder, number in self._numbers.items():
            if _number(folder) != number:
                what = "this folder is watched, and is not there any more"
                hint = "start again once it is there; what has been done is skipped"
                raise InstyleError(what, where=self._folders[folder], hint=hint)

    # --- what is seen -----------------------------------------------------------------------------

    def _see_changed(self, path: str) -> None:
        """Look at a file or folder that has changed, if it is one of those that are taken."""
        if not any(_name(path, top) for top in self._folders):
            return
        if not os.path.isdir(path):
            if is_photo(os.path.basename(path)):
                self._see(path)
        elif path not in self._waiting and not os.path.islink(path):
            with suppress(InputError):  # it is told of later
                self._see_folder(path)
            self._wait(path, _FOLDER, REST_S)  # a file may come before the folder is watched

    def _see_folder(self, folder: str) -> None:
        for _, path in in_folder(Path(folder)):
            self._see(path)

    def _see(self, path: str) -> None:
        state = _state(path)
        if state is None:
            self._taken.pop(path, None)
        elif path not in self._waiting and self._taken.get(path) != state:
            is_old = time.time() - state[1] / 1e9 > REST_S
            self._wait(path, state, 0 if is_old else REST_S)

    def _wait(self, path: str, state: _State, seconds: float) -> None:
        self._waiting[path] = state
        heapq.heappush(self._due, (time.monotonic() + seconds, path))

    # --- what is taken ----------------------------------------------------------------------------

    def _next(self) -> Job | None:
        while self._ready or (self._due and self._due[0][0] <= time.monotonic()):
            if not self._ready:
                self._ready += self._look(heapq.heappop(self._due)[1])
            elif (job := self._ready.pop(0)).problem or os.path.lexists(job.photo):
                return job
        return None

    def _look(self, path: str) -> list[Job]:
        """Look again at a file or folder that was waited for; gives the jobs if it is whole."""
        before, state = self._waiting.pop(path), _state(path)
        if state is None:
            return []
        if before == _FOLDER:
            try:
                self._see_folder(path)
            except InputError as error:
                return [Job(name, path, problem=error.what) for name, _ in self._names(path)]
            return []
        if state != before:
            self._wait(path, state, REST_S)
            return []
        self._taken[path] = state
        if not state[0]:  # of an empty file is heard when something is written to it
            return []
        return [job for photo in self._names(path) for job in self._jobs(photo)]

    def _names(self, path: str) -> list[Photo]:
        """A file as a photo of each of the folders that has it."""
        return [
            (name, os.path.join(folder, *name.split("/")))
            for top, folder in self._folders.items()
            if (name := _name(path, top))
        ]

    def _jobs(self, photo: Photo) -> list[Job]:
        jobs = []
        for job in jobs_of([photo], self._styles):
            other = self._outputs.get(job.name, job.photo)
            if other != job.photo and (is_url(other) or os.path.lexists(other)):
                what = f"two photos would have one output: rename it; the other is {other}"
                jobs.append(replace(job, problem=what))
            else:
                self._outputs[job.name] = job.photo
                jobs.append(job)
        return jobs


#: Of a folder that was removed.
_GONE = (-1, -1)

#: Stands for that of a folder.
_FOLDER: _State = (-1, -1, -1)


def _state(path: str) -> _State | None:
    """The state of a file; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _number(folder: str) -> tuple[int, int] | None:
    """What tells a folder from another one by the same name; None if it is not there."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _name(path: str, folder: str) -> str | None:
    """The name of a file or folder in another, with ``/``; None if it is not one that is taken."""
    if not path.startswith(os.path.join(folder, "")):
        return None
    parts = Path(os.path.relpath(path, folder)).parts
    if any(is_left_out(part) for part in parts):
        return None
    # What is found through a link to a folder is none of `in_folder`.
    is_here = os.path.realpath(os.path.dirname(path)) == os.path.join(folder, *parts[:-1])
    return "/".join(parts) if is_here else None
