"""Everything that is drawn on the terminal."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from instyle_core.errors import InstyleError, SpecError
from instyle_core.events import Download, Event, Finished, Note, StageFinished, StageStarted, Step

_STAGES = {
    "read": "reading pictures",
    "load": "loading networks",
    "segment": "finding the object",
    "stylize": "painting",
    "merge": "merging",
    "write": "writing",
}


def show_error(error: InstyleError) -> None:
    """What is wrong, where, and what to do, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    problems = error.problems if isinstance(error, SpecError) else (error,)
    for problem in problems:
        where = f"{problem.where}: " if problem.where else ""
        console.print(f"[red]error:[/red] {escape(where + problem.what)}")
        if problem.hint:
            console.print(f"  {escape(problem.hint)}")


class RunDisplay:
    """Shows a run as it goes: a bar on a terminal, plain lines elsewhere, on standard error."""

    #: Seconds between two plain lines of one optimisation.
    INTERVAL = 5.0

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = self._console.is_interactive
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=18)),
            BarColumn(bar_width=24),
            # In a narrow terminal, the end of the line is cut off: the last of the losses.
            TextColumn(
                "{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            console=self._console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=None, status="", visible=False)
        self._printed = -math.inf

    def __enter__(self) -> RunDisplay:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StageStarted):
            name = _STAGES[event.stage] + _of(event.item, event.items)
            self._show(name, status="")
            self._name = name
        elif isinstance(event, StageFinished):
            if not self._live and event.seconds >= 0.1:
                self._console.print(f"{self._name}: {event.seconds:.1f} s")
        elif isinstance(event, Download):
            size = f"of {event.total / 1e6:.0f} MB" if event.total else "MB"
            status = f"{event.done / 1e6:.0f} {size}"
            self._show(f"downloading {event.name}", status, event.done, event.total)
        elif isinstance(event, Step):
            terms = "  ".join(f"{name} {value:.3g}" for name, value in event.losses.items())
            left = _clock(event.seconds_left)
            status = f"{event.step}/{event.steps}  {left} left  {terms}"
            self._show(self._name, status, event.step, event.steps)
        elif isinstance(event, Note):
            self._console.print(f"[yellow]note:[/yellow] {escape(event.message)}")
        elif isinstance(event, Finished):
            self._stop()
            self._console.print(f"{event.status} after {event.seconds:.1f} s", markup=False)

    def _stop(self) -> None:
        if self._live:  # it would print an empty line elsewhere
            self._progress.stop()

    def _show(
        self, name: str, status: str, done: int | None = None, total: int | None = None
    ) -> None:
        if self._live:
            self._progress.update(
                self._bar,
                description=name,
                status=status,
                completed=done,
                total=total,
                visible=True,
            )
        elif status:
            now = time.monotonic()
            if now - self._printed >= self.INTERVAL or done == total:
                self._printed = now
                self._console.print(f"{name}: {status}", markup=False, soft_wrap=True)


def _of(item: int | None, items: int) -> str:
    return f" {item + 1} of {items}" if item is not None and items > 1 else ""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
