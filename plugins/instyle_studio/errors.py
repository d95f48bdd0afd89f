"""Errors, as the HTTP API tells them: in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instyle_core import InstyleError, SpecError


class Refused(InstyleError):
    """A request that is refused with a status of its own.

    Args:
        status: of HTTP.
        what: one sentence, what is wrong.
        where: what it is about.
        hint: what to do next.
    """

    def __init__(
        self, status: int, what: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


def not_found(kind: str) -> Refused:
    """The error about an ID that there is not."""
    return Refused(404, f"there is no such {kind}", hint="it may have been removed")


def told(error: InstyleError) -> dict[str, Any]:
    """An error as plain data: ``what``, ``where``, ``hint``; several have ``problems``."""
    facts: dict[str, Any] = {"what": error.what, "where": error.where, "hint": error.hint}
    if isinstance(error, SpecError):
        facts["problems"] = [told(problem) for problem in error.problems]
    if isinstance(error, FromWorker):
        facts["problems"] = error.problems
    return facts


class FromWorker(InstyleError):
    """An error that a worker process has told of.

    Args:
        facts: as `told` makes them, with the ``exit_status`` of the command line.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(facts["what"], where=facts.get("where"), hint=facts.get("hint"))
        self.exit_status = facts.get("exit_status", 1)
        self.problems: list[dict[str, Any]] = facts.get("problems", [])


def status_of(error: InstyleError) -> int:
    """The status of HTTP: what the user can mend is 422, what is broken here 500."""
    if isinstance(error, Refused):
        return error.status
    return {2: 422, 3: 424}.get(error.exit_status, 500)
