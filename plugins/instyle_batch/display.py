"""What a batch shows on standard error: a bar for the whole, and one for the photo under way."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column, Table
from rich.text import Text

from instyle_batch.job import Job, Outcome
from instyle_core import clock
from instyle_core.events import Download, StageStarted, Step

_STAGES = {"segment": "finding the object", "rank": "choosing the style", "stylize": "painting"}

#: Rows of the table at the end; batch.json has all of them.
MOST_ROWS = 40


class Display:
    """Shows the progress of a batch: bars on a terminal, a line for each photo elsewhere.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, quiet=quiet, soft_wrap=True)
        self._live = self.console.is_interactive and sys.stderr.isatty() and not quiet
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", table_column=Column(no_wrap=True), markup=False),
            BarColumn(bar_width=24),
            TextColumn(
                "{task.fields[status]}",
                table_column=Column(no_wrap=True, overflow="ellipsis"),
                markup=False,
            ),
        ]
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._whole = self._progress.add_task("photos", total=None, status="")
        self._one = self._progress.add_task("", total=None, status="", visible=False)
        self._under_way: list[Job] = []
        self._began = time.monotonic()
        self._painted = 0

    def __enter__(self) -> Display:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bars away."""
        if self._live:
            self._progress.stop()

    def say(self, text: str, color: str = "") -> None:
        """A line above the bars."""
        self.console.print(Text(text, style=color))

    def __call__(self, job: Job, event: Any) -> None:
        """Show that a job begins, or an event of it."""
        if event is None:
            self._under_way.append(job)
            names = ", ".join(job.name for job in self._under_way)
            self._progress.update(self._one, description=names, status="", total=None, visible=True)
        elif isinstance(event, StageStarted):
            status = _STAGES.get(event.stage, "")
            self._progress.update(self._one, status=status, total=None, completed=0)
        elif isinstance(event, Step):
            status = f"{event.step}/{event.steps}"
            self._progress.update(self._one, status=status, completed=event.step, total=event.steps)
        elif isinstance(event, Download):
            status = f"downloading {event.name}"
            self._progress.update(self._one, status=status, completed=event.done, total=event.total)

    def ended(self, outcome: Outcome, number: int, total: int | None) -> None:
        """Show what came of a job.

        Args:
            outcome: of the job.
            number: of those that have ended.
            total: of all; None while it is not known.
        """
        if outcome.job in self._under_way:
            self._under_way.remove(outcome.job)
        if outcome.status == "busy":
            return
        self._painted += outcome.status == "done"
        minutes = (time.monotonic() - self._began) / 60
        rate = self._painted / minutes if minutes else 0.0
        of = f" of {total}" if total else ""
        status = f"{number}{of}  {rate:.1f} photos a minute"
        if total and self._painted:
            left = (total - number) / rate * 60
            status += f"  {clock(left)} left"
        self._progress.update(self._whole, completed=number, total=total, status=status)
        name = outcome.job.name
        if outcome.status == "failed":
            self.say(f"failed: {name}: {outcome.reason}", "red")
        elif not self._live and outcome.status != "skipped":
            self.say(f"{status}: {name} {outcome.status} in {outcome.seconds:.1f} s")
        for note in outcome.notes:
            self.say(f"note: {name}: {note}", "yellow")

    def table(self, outcomes: Sequence[Outcome], summary: str) -> None:
        """The table at the end, of outcomes in their order."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for title in ("photo", "", "seconds", "reason"):
            table.add_column(title, justify="right" if title == "seconds" else "left")
        for outcome in outcomes[:MOST_ROWS]:
            seconds = f"{outcome.seconds:.1f}"
            cells = (outcome.job.name, outcome.status, seconds, outcome.reason)
            table.add_row(*map(Text, cells))
        self.console.print(table, soft_wrap=False)
        if len(outcomes) > MOST_ROWS:
            self.say(f"and {len(outcomes) - MOST_ROWS} more")
        self.say(summary)
