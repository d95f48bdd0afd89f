"""What is to be done next, and whether anything is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from instyle_batch.job import Job, Outcome

#: Seconds until a job is tried again that another batch had under way.
RETRY_S = 1.0


class Source(Protocol):
    """Where more jobs come from while the batch goes on, such as a folder that is watched."""

    def more(self, wait: float) -> list[Job]:
        """The jobs that have come up; waits for some seconds if there are none."""


class Work:
    """A queue of jobs; those that another batch had under way come back until they are done.

    Args:
        jobs: what there is to do.
        source: where more come from; without one, the work is over once all is done.

    Attributes:
        total: how many jobs there are, as far as that is known.
    """

    def __init__(self, jobs: Iterable[Job], source: Source | None = None) -> None:
        self._ready = deque(jobs)
        self._busy: deque[tuple[float, Job]] = deque()
        self._source = source
        self._under_way = 0
        self.total = len(self._ready)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, and nothing will come."""
        return not (self.left or self._source)

    @property
    def left(self) -> int:
        """How many jobs are not done, as far as that is known."""
        return len(self._ready) + len(self._busy) + self._under_way

    def next(self, wait: float) -> Job | None:
        """The next job; None if there is none after waiting for some seconds."""
        if not self._ready:
            self._refill(wait)
        if not self._ready:
            return None
        self._under_way += 1
        return self._ready.popleft()

    def _refill(self, wait: float) -> None:
        now = time.monotonic()
        while self._busy and self._busy[0][0] <= now:
            self._ready.append(self._busy.popleft()[1])
        if self._ready:
            return
        if self._busy:
            wait = min(wait, self._busy[0][0] - now)
        if self._source:
            jobs = self._source.more(wait)
            self.total += len(jobs)
            self._ready.extend(jobs)
        elif self._busy:
            time.sleep(wait)

    def ended(self, outcome: Outcome) -> None:
        """Tell what came of a job."""
        self._under_way -= 1
        if outcome.status == "busy":
            self._busy.append((time.monotonic() + RETRY_S, outcome.job))

    def again(self, job: Job) -> None:
        """Take back a job whose worker died."""
        self._under_way -= 1
        self._ready.appendleft(job)
