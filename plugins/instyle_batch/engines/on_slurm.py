"""Slurm: an array of jobs, by submitit, that share the photos. Placement and requeue are Slurm's.

Each of them, a part, has photos of its own. It writes what comes of them, line by line, to a file
that the batch follows.
"""

from __future__ import annotations

import json
import platform
import signal
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from instyle_batch.engines.here import Here
from instyle_batch.engines.versions import check_versions, versions
from instyle_batch.job import Job, Outcome, Task, Tell
from instyle_batch.storage import own_folder
from instyle_batch.urls import is_url
from instyle_batch.work import Work
from instyle_core import InputError, InstyleError, first_line

try:
    import submitit
    from submitit.core.utils import UncompletedJobError
except ModuleNotFoundError as missing:
    what, hint = "Slurm needs the package 'submitit'", "pip install 'instyle[slurm]'"
    raise InstyleError(what, hint=hint) from missing

#: So many parts there are, if nothing is said and there are as many photos.
PARTS = 8

#: A limit of time that most partitions allow, in minutes. A part goes on after it, so often.
MINUTES = 60
TIMEOUTS = 1000

_POLL_S = 0.5


class OnSlurm:
    """An array of Slurm jobs; see `Engine`.

    The number of photos has to be known: a folder cannot be watched.

    Args:
        workers: how many parts there are; eight when None. No more than photos.
        settings: of the parts, as submitit's `AutoExecutor.update_parameters` takes them, such as
            ``gpus_per_node``, ``timeout_min`` and ``slurm_partition``. Besides them, ``cluster``,
            such as ``local`` for processes of this machine, and ``folder``, for logs.
    """

    def __init__(self, workers: int | None, settings: Mapping[str, Any]) -> None:
        self._workers = workers or PARTS
        self._settings = {"name": "instyle", "timeout_min": MINUTES, **settings}

    def outcomes(self, work: Work, task: Task, tell: Tell) -> Generator[Outcome]:
        folder = self._folder(task)
        executor = self._executor(folder)
        jobs: list[Job] = []
        while job := work.next(wait=0.0):
            jobs.append(job)
        number = min(self._workers, len(jobs))
        parts = [
            Part(jobs[n::number], task, folder / f"part-{n}.jsonl", versions())
            for n in range(number)
        ]
        following = [*zip(_submit(executor, parts), map(Followed, parts), strict=True)]
        try:
            while following:
                for pair in [*following]:
                    submitted, followed = pair
                    is_over = submitted.done()  # asked first: nothing is written after that
                    yield from followed.outcomes(tell)
                    if is_over:
                        following.remove(pair)
                        yield from followed.lost(_reason(submitted))
                time.sleep(_POLL_S if following else 0)
        finally:
            for submitted, _ in following:
                submitted.cancel(check=False)

    def _folder(self, task: Task) -> Path:
        """A new folder for what the parts write."""
        place = self._settings.pop("folder", None)
        if place is None and is_url(task.output):
            what = "Slurm needs a folder that all machines share for its logs"
            hint = "name one with --cluster-set folder=PATH"
            raise InputError(what, where=task.output, hint=hint)
        folder = Path(place).absolute() if place else own_folder(task.output) / "slurm"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d-%H-%M-%S-"), dir=folder))
        except OSError as error:
            what = f"the folder cannot be written to: {error.strerror}"
            raise InputError(what, where=str(folder)) from error

    def _executor(self, folder: Path) -> submitit.AutoExecutor:
        """What submits the parts.

        Raises:
            InputError: there is no Slurm here, or there is no such setting.
        """
        # They print on standard output, which is for `--json`.
        submitit.core.logger.get_logger().handlers.clear()
        settings = dict(self._settings)
        try:
            executor = submitit.AutoExecutor(
                folder, settings.pop("cluster", "slurm"), slurm_max_num_timeout=TIMEOUTS
            )
        except (RuntimeError, ValueError) as error:
            hint = "run it where `sbatch` is, or use another --cluster"
            what = f"this machine cannot submit jobs: {first_line(error)}"
            raise InputError(what, where="--cluster slurm", hint=hint) from error
        try:
            executor.update_parameters(**settings)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            raise InputError(first_line(error), where="--cluster-set") from error
        return executor


def _submit(executor: submitit.AutoExecutor, parts: Sequence[Part]) -> list[submitit.Job[Any]]:
    try:
        with executor.batch():
            return [executor.submit(part) for part in parts]
    except (RuntimeError, OSError, UncompletedJobError) as error:
        what = f"the jobs cannot be submitted: {first_line(error)}"
        raise InstyleError(what, hint="see what --cluster-set asks for") from error


def _reason(submitted: submitit.Job[Any]) -> str:
    """Why a part ended before its photos were done.

    Raises:
        InstyleError: what keeps all photos from being done.
    """
    told = f"its part of the work ended early ({submitted.state})"
    with suppress(UncompletedJobError):
        if error := submitted.result():
            raise error
    return f"{told}; see {submitted.paths.stderr}"


class Part:
    """Some of the photos: a job of the array, which goes on where it was interrupted.

    Args:
        jobs: what there is to do.
        task: of the batch.
        told: the file for what came of them.
        expected: the versions of the batch.
    """

    def __init__(
        self, jobs: Sequence[Job], task: Task, told: Path, expected: Mapping[str, str]
    ) -> None:
        self.jobs = jobs
        self.told = told
        self._task = task
        self._expected = dict(expected)

    def __call__(self) -> InstyleError | None:
        """Carry out what is left, in a job.

        Returns:
            What keeps all photos from being done.
        """
        preemption = Preemption()
        try:
            check_versions(self._expected, platform.node())
            lines, _ = _lines(self.told)
            ended = {line["name"] for line in lines if "status" in line}
            work = Work(job for job in self.jobs if job.name not in ended)
            for outcome in Here().outcomes(work, self._task, self._tell):
                work.ended(outcome)
                if outcome.status == "interrupted":
                    raise KeyboardInterrupt
                if outcome.status != "busy":
                    facts = asdict(outcome)
                    name = facts.pop("job")["name"]
                    self._write({"name": name, **facts})
        except KeyboardInterrupt:
            preemption.requeue()
            raise
        except InstyleError as error:
            return error
        return None

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """The same again: what has ended is in the file, and a photo has its own checkpoint."""
        return submitit.helpers.DelayedSubmission(self)

    def _tell(self, job: Job, event: Any) -> None:
        if event is None:
            self._write({"name": job.name})

    def _write(self, line: Mapping[str, Any]) -> None:
        # Opened for each line: network drives show what was written once a file is closed.
        with self.told.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(line)}\n")  # the one before may have been cut off


class Preemption:
    """Lets the photo under way be saved, as Ctrl-C does, before a part is requeued.

    Made within a job, it takes the place of submitit's handler of the signal, which ends the
    process wherever it is.
    """

    def __init__(self) -> None:
        self._number = getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}")
        self._requeue: Any = signal.signal(self._number, self)
        self._is_asked_for = False
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._is_asked_for:
            self._is_asked_for = True
            signal.raise_signal(signal.SIGINT)

    def requeue(self) -> None:
        """End the process, to be begun again, if the signal has come."""
        if self._is_asked_for:
            self._requeue(self._number, None)


class Followed:
    """Follows what a part writes.

    Args:
        part: which one.
    """

    def __init__(self, part: Part) -> None:
        self._told = part.told
        self._left = {job.name: job for job in part.jobs}
        self._begun: set[str] = set()
        self._place = 0

    def outcomes(self, tell: Tell) -> Iterator[Outcome]:
        """What has come of photos since the last call."""
        lines, self._place = _lines(self._told, self._place)
        for line in lines:
            name = line.pop("name")
            job = self._left.get(name)
            if job is None:
                continue
            if name not in self._begun:
                self._begun.add(name)
                tell(job, None)
            if line:
                del self._left[name]
                yield Outcome(job, **{**line, "notes": tuple(line["notes"])})

    def lost(self, reason: str) -> Iterator[Outcome]:
        """The photos of which nothing has come, once the part is over."""
        for job in self._left.values():
            yield Outcome(job, "failed", reason=reason)


def _lines(path: Path, place: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The lines of a file from a place on that are whole, and the place after them."""
    if not path.exists():
        return [], place
    with path.open("rb") as file:
        file.seek(place)
        text, newline, _ = file.read().rpartition(b"\n")
    found = []
    for line in text.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found, place + len(text) + len(newline)
