"""Ways to carry out jobs: each gives the outcomes of the same function, `photo.paint`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from instyle_batch.job import Outcome, Task, Tell
from instyle_batch.work import Work


class Engine(Protocol):
    """A way to carry out jobs."""

    def outcomes(self, work: Work, task: Task, tell: Tell) -> Generator[Outcome]:
        """Carry out jobs until the work is over; the caller tells the work of each outcome.

        After Ctrl-C, the outcomes of jobs that were interrupted come last.

        Args:
            work: what to do.
            task: what the jobs have in common.
            tell: is told of jobs that begin, with None, and of events of those of this process.

        Raises:
            InstyleError: what keeps all jobs from being done.
            KeyboardInterrupt: interrupted.

        Closed before its end, it lets go of what is under way.
        """
