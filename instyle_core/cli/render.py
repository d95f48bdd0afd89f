"""Everything that is drawn on the terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from instyle_core.cli.layout import clock, table, width_of, wrap
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
    problems = error.problems if isinstance(error, SpecError) else (error,)
    for problem in problems:
        where = f"{problem.where}: " if problem.where else ""
        say(where + problem.what, "error", "red")
        if problem.hint:
            say(f"  {problem.hint}")


def show_note(message: str) -> None:
    """Something that is not wrong, on standard error."""
    say(message, "note", "yellow")


def say(text: str, label: str = "", color: str = "", console: Console | None = None) -> None:
    """Print a text on standard error, in lines that fit a terminal; elsewhere, it is one line.

    Args:
        text: plain, without rich's markup.
        label: what kind of a text it is; comes first, in a color.
        color: of the label.
        console: where a bar is shown, which the text has to go above.
    """
    console = console or Console(stderr=True)
    stream = console.file  # not sys.stderr, in whose place a bar puts something else
    width = width_of(stream) if stream.isatty() else None
    styled = Text(wrap(f"{label}: {text}" if label else text, width))
    styled.stylize(color, 0, len(label) + 1 if label else 0)
    console.print(styled, soft_wrap=True)


def ranking_table(
    ranking: Mapping[Path, Rating], width: int | None, *, most: int | None = None
) -> str:
    """Style pictures with their figures, best first; of many, `most`, and how many more."""
    figures = list(dict.fromkeys(name for rating in ranking.values() for name in rating.figures))
    rows = [["rank", "picture", "score", *figures]]
    for number, (path, rating) in enumerate([*ranking.items()][:most], start=1):
        cells = (rating.figures.get(name) for name in figures)
        shown = ("" if value is None else f"{value:.4g}" for value in cells)
        rows.append([str(number), path.name, f"{rating.score:.4g}", *shown])
    more = len(ranking) - len(rows) + 1
    return table(rows, width) + (f"and {more} more\n" if more else "")


class RunDisplay:
    """Shows the progress of a run on standard error: a bar on a terminal, plain lines elsewhere.

    Plain lines are also what a terminal gets with ``TERM=dumb`` or ``TTY_INTERACTIVE=0``.
    """

    #: Seconds between two plain lines of one optimization.
    INTERVAL = 5.0

    #: Columns of a terminal from which on there is room for a bar.
    WIDE = 80

    #: Pictures of a ranking that are shown; run.json has all of them.
    MOST = 10

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        # With FORCE_COLOR, rich takes a file for a terminal, too.
        self._live = self._console.is_interactive and sys.stderr.isatty()
        columns: list[ProgressColumn] = [
            TextColumn(
                "{task.description}",
                table_column=Column(no_wrap=True, min_width=18),
                markup=False,
            ),
            BarColumn(bar_width=24),
            # If the line does not fit, its end is cut off, which is the last losses.
            TextColumn(
                "{task.fields[status]}",
                table_column=Column(no_wrap=True, overflow="ellipsis"),
                markup=False,
            ),
        ]
        if self._console.width < self.WIDE:
            # Without a bar, and in several lines where one is too short.
            text = "{task.description}  {task.fields[status]}"
            columns = [TextColumn(text, table_column=Column(), markup=False)]
        self._progress = Progress(*columns, console=self._console, transient=True)
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
                self._say(f"{self._name}: {_duration(event.seconds)}")
        elif isinstance(event, Download):
            size = f"of {event.total / 1e6:.0f} MB" if event.total else "MB"
            status = f"{event.done / 1e6:.0f} {size}"
            self._show(f"downloading {event.name}", status, event.done, event.total)
        elif isinstance(event, Step):
            terms = "  ".join(f"{name} {value:.3g}" for name, value in event.losses.items())
            status, left = f"{event.step}/{event.steps}  {terms}", event.seconds_left
            if left is not None:
                total = time.monotonic() - self._began + left
                time_ = f"{clock(left)} of {clock(total)} left"
                status = f"{event.step}/{event.steps}  {time_}  {terms}"
            elif not self._live:
                return  # the next step follows soon, and has a time
            self._show(self._name, status, event.step, event.steps)
        elif isinstance(event, Note):
            say(event.message, "note", "yellow", self._console)
        elif isinstance(event, Ranked):
            what = "style of the picture" if event.item is None else f"style of object {event.item}"
            self._say(f"{what}: {next(iter(event.ranking)).name}")
            rows = ranking_table(event.ranking, width_of(self._console.file), most=self.MOST)
            self._say(rows.rstrip())
        elif isinstance(event, Finished):
            self._stop()
            self._say(f"{event.status} after {_duration(event.seconds)}")

    def _say(self, text: str) -> None:
        say(text, console=self._console)

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
                self._say(f"{name}: {status}")


def _of(item: int | None, items: int) -> str:
    return f" {item + 1} of {items}" if item is not None and items > 1 else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)
