"""What there is to do, and what came of it: plain data, which goes to other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

#: ``done``, or ``skipped`` since it had been done before; ``failed``; ``interrupted``, with the
#: best so far in the output; ``busy``, since another batch has it under way.
Status = Literal["done", "skipped", "failed", "interrupted", "busy"]


@dataclass(frozen=True)
class Job:
    """One picture to make.

    Attributes:
        name: of the output, relative to the folder of the batch, with ``/``.
        photo: a file or an URL.
        style: the style picture; None for what the spec says.
        problem: why it cannot be made, if that is known before; else empty.
    """

    name: str
    photo: str
    style: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Task:
    """What all jobs of a batch have in common.

    Attributes:
        spec: the file.
        output: the folder of the pictures, or an URL.
        assignments: changes of the spec, such as ``size=256``.
        device: where to compute, if not where the spec says.
        again: whether to make what has been made before.
    """

    spec: str
    output: str
    assignments: tuple[str, ...] = ()
    device: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: which one.
        status: see `Status`.
        seconds: the time that it took.
        reason: why it failed, else empty.
        notes: what the user should know.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    reason: str = ""
    notes: tuple[str, ...] = field(default=())

    def facts(self) -> dict[str, Any]:
        """As ``batch.json`` has it."""
        return {
            "name": self.job.name,
            "photo": self.job.photo,
            "style": self.job.style,
            "status": self.status,
            "seconds": self.seconds,
            "reason": self.reason,
            "notes": list(self.notes),
        }


#: Is told which job is under way, and of the events of its run.
Tell = Callable[[Job, Any], None]
