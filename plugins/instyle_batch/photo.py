"""One photo: the function that every engine calls, in this process or on another machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from instyle_batch import thumbnails
from instyle_batch.job import Job, Outcome, Status, Task
from instyle_batch.locks import Locks
from instyle_batch.plans import plan_for
from instyle_batch.storage import at_hand, own_folder
from instyle_batch.urls import is_url
from instyle_core import InputError, InstyleError, SpecError, is_done, run
from instyle_core.events import Event, Note

#: The note about a drive on which batches are not kept apart.
NO_LOCKS = "this drive has no locks: a second batch on the same folder would do the same work again"


def paint(job: Job, task: Task, tell: Callable[[Event], object] = lambda event: None) -> Outcome:
    """Carry out a job, unless that has been done, or another batch is at it.

    Where an earlier batch was interrupted within it, it goes on from there. Within
    `instyle_core.keep_networks`, networks are those of the job before.

    Raises:
        InstyleError: what would keep every other job from being done, too, such as missing weights.
        KeyboardInterrupt: interrupted before there was anything to save.
    """
    began = time.monotonic()
    notes: list[str] = []

    def observe(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.message)
        tell(event)

    def outcome(status: Status, reason: str = "") -> Outcome:
        told = tuple(dict.fromkeys(notes))
        return Outcome(job, status, round(time.monotonic() - began, 3), reason, told)

    if job.problem:
        return outcome("failed", job.problem)
    try:
        with _locked(job, task, notes) as is_ours:
            if not is_ours:
                return outcome("busy")
            with at_hand(job, task) as files:
                plan = plan_for(job, task, files.photo, files.output)
                is_old = not task.again and is_done(plan)
                result = None if is_old else run(plan, observe, resume="if possible")
                if not (is_old and files.pair.exists()):
                    thumbnails.make(files.photo, files.output, files.pair)
                if result is None:
                    return outcome("skipped")
                files.keep()
        if result.status == "interrupted":
            return outcome("interrupted")
        if result.status == "diverged":
            return outcome("failed", f"stopped early: {result.reason}")
        return outcome("done")
    except InstyleError as error:
        if error.exit_status == _INTERRUPTED:
            raise KeyboardInterrupt from error
        if error.exit_status == _WEIGHTS_ARE_MISSING:
            raise
        return outcome("failed", in_words(error))
    except Exception as error:  # of a plugin, or of a library that a strange photo breaks
        return outcome("failed", f"{type(error).__name__}: {error}")


#: Exit statuses of errors: a run that was interrupted, and weights that are missing.
_INTERRUPTED, _WEIGHTS_ARE_MISSING = 130, 3


@contextmanager
def _locked(job: Job, task: Task, notes: list[str]) -> Iterator[bool]:
    """Whether this process alone has the job within the block."""
    if is_url(task.output):
        yield True
        return
    locks = _locks(task.output)
    with locks.of(job.name) as is_ours:
        if not locks.work:
            notes.append(NO_LOCKS)
        yield is_ours


@cache
def _locks(output: str) -> Locks:
    folder = own_folder(output)
    try:
        return Locks(folder / "lock")
    except OSError as error:
        raise InputError(
            f"the folder cannot be written to: {error.strerror}", where=str(folder)
        ) from error


def in_words(error: InstyleError) -> str:
    """What is wrong, where, and what to do, in one line."""
    problems = error.problems if isinstance(error, SpecError) else (error,)
    return "; ".join(
        ": ".join(filter(None, (problem.where, problem.what)))
        + (f" ({problem.hint})" if problem.hint else "")
        for problem in problems
    )
