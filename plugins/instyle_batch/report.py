"""What a batch leaves beside its pictures: ``batch.json``, and a contact sheet as HTML pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Template

from instyle_batch.job import Outcome, Task
from instyle_batch.storage import OWN, write

#: Photos on one page: a browser shows so many at once.
ON_A_PAGE = 500

_ORDER = ("failed", "interrupted", "done", "skipped")


class Report:
    """Collects outcomes, the last one of each picture.

    Attributes:
        counts: how many there are of each status.
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome; what was busy is not over."""
        if outcome.status == "busy":
            return
        key = outcome.job.name, outcome.job.photo
        if earlier := self._outcomes.get(key):
            self.counts -= Counter([earlier.status])
        self.counts[outcome.status] += 1
        self._outcomes[key] = outcome

    @property
    def outcomes(self) -> list[Outcome]:
        """Failures first, else in their order."""
        return sorted(self._outcomes.values(), key=lambda outcome: _ORDER.index(outcome.status))

    def write(self, task: Task, facts: Mapping[str, Any], missing: int) -> None:
        """Write ``batch.json`` and the pages, whole or not at all.

        Args:
            task: of the batch.
            facts: about the batch, for ``batch.json``.
            missing: how many jobs were not come to.

        Raises:
            InstyleError: they cannot be written.
        """
        counts = {**self.counts, "missing": missing}
        head = json.dumps({"instyle": version("instyle"), **facts, "counts": counts})
        # A line for each photo: there may be a million.
        rows = (json.dumps(o.facts(), ensure_ascii=False) for o in self._outcomes.values())
        text = f'{head[:-1]},\n"photos": [\n' + ",\n".join(rows) + "\n]}\n"
        write(task.output, "batch.json", text.encode("utf-8", "surrogateescape"))
        for name, page in pages(self.outcomes, missing):
            write(task.output, name, page.encode("utf-8", "surrogateescape"))


def pages(outcomes: Sequence[Outcome], missing: int) -> Iterator[tuple[str, str]]:
    """The pages of the contact sheet, each with the name of its file."""
    template = Template(
        Path(__file__).with_name("sheet.html.j2").read_text("utf-8"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    starts = range(0, len(outcomes) or 1, ON_A_PAGE)
    names = [f"batch-{number}.html" if number > 1 else "batch.html"
             for number in range(1, len(starts) + 1)]  # fmt: skip
    counts = Counter(outcome.status for outcome in outcomes)
    for number, (name, start) in enumerate(zip(names, starts, strict=True)):
        yield (
            name,
            template.render(
                rows=[outcome.facts() for outcome in outcomes[start : start + ON_A_PAGE]],
                counts=counts,
                total=len(outcomes),
                missing=missing,
                number=number + 1,
                last=len(names),
                near=[(n + 1, names[n]) for n in _near(number, len(names))],
                link=_link,
                pair=lambda row: _link(f"{OWN}/pairs/{row['name']}.jpg"),
            ),
        )


def _near(number: int, pages: int) -> list[int]:
    """The first and the last page, and those around one."""
    around = range(max(0, number - 3), min(pages, number + 4))
    return sorted({0, *around, pages - 1})


def _link(name: str) -> str:
    return quote(name.encode("utf-8", "surrogateescape"))
