"""One job after another, in this process."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from instyle_batch.job import Outcome, Task, Tell
from instyle_batch.photo import paint
from instyle_batch.work import Work
from instyle_core import keep_networks


class Here:
    """One job after another; see `Engine`.

    Args:
        device: where to compute; None where the spec says.
    """

    def __init__(self, device: str | None = None) -> None:
        self._device = device

    def outcomes(self, work: Work, task: Task, tell: Tell) -> Generator[Outcome]:
        made: dict[str, Any] = {}
        task = replace(task, device=self._device)
        while not work.is_over:
            job = work.next(wait=1.0)
            if job:
                tell(job, None)
                with keep_networks(made):
                    outcome = paint(job, task, partial(tell, job))
                yield outcome
                if outcome.status == "interrupted":
                    return
