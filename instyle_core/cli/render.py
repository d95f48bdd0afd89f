"""Everything that is drawn on the terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from instyle_core.errors import InstyleError, SpecError
from instyle_core.events import (
    Download,
    Event,
    Finished,
    Note,
    Ranked,
    StageFinished,
    StageStarted,
    Step,
)
from instyle_core.interfaces.ranker import Rating

_STAGES = {
    "read": "reading pictures",
    "load": "loading networks",
    "segment": "finding the object",
    "rank": "choosing the style",
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


def ranking_table(ranking: Mapping[Path, Rating], *, most: int | None = None) -> Table:
    """Style pictures with their figures, best first; of many, `most`, and how many more."""
    figures = list(dict.fromkeys(name for rating in ranking.values() for name in rating.figures))
    table = Table("rank", "picture", "score", *map(escape, figures), box=None, pad_edge=False)
    for number, (path, rating) in enumerate([*ranking.items()][:most], start=1):
        cells = (rating.figures.get(name) for name in figures)
        shown = ("" if value is None else f"{value:.4g}" for value in cells)
        table.add_row(str(number), escape(path.name), f"{rating.score:.4g}", *shown)
    if most is not None and len(ranking) > most:
        table.add_row("", f"and {len(ranking) - most} more")
    return table


class RunDisplay:
    """Shows the progress of a run on standard error: a bar on a terminal, plain lines elsewhere."""

    #: Seconds between two plain lines of one optimization.
    INTERVAL = 5.0

    #: Pictures of a ranking that are shown; run.json has all of them.
    MOST = 10

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = self._console.is_interactive
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=18)),
            BarColumn(bar_width=24),
            # In a narrow terminal, the end of the line is cut off, which is the last losses.
            TextColumn(
                "{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            console=self._console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=None, status="", visible=False)
        self._printed = -math.inf
        self._began = time.monotonic()

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
            status, left = f"{event.step}/{event.steps}  {terms}", event.seconds_left
            if left is not None:
                total = time.monotonic() - self._began + left
                time_ = f"{_clock(left)} of {_clock(total)} left"
                status = f"{event.step}/{event.steps}  {time_}  {terms}"
            elif not self._live:
                return  # the next step follows soon, and has a time
            self._show(self._name, status, event.step, event.steps)
        elif isinstance(event, Note):
            self._console.print(f"[yellow]note:[/yellow] {escape(event.message)}")
        elif isinstance(event, Ranked):
            what = "style of the picture" if event.item is None else f"style of object {event.item}"
            self._console.print(f"{what}: {next(iter(event.ranking)).name}", markup=False)
            self._console.print(ranking_table(event.ranking, most=self.MOST))
        elif isinstance(event, Finished):
            self._stop()
            self._console.print(f"{event.status} after {event.seconds:.1f} s", markup=False)

    def _stop(self) -> None:
        if self._live:  # elsewhere, it would print an empty line
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
