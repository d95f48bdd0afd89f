"""What a batch leaves beside its pictures: ``batch.json``, and a contact sheet as HTML pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
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
    """Collects outcomes, the last one of each photo and style."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], Outcome] = {}

    def add(self, outcome: Outcome) -> None:
        """Take an outcome; what was busy is not over."""
        if outcome.status != "busy":
            self._outcomes[outcome.job.name, outcome.job.photo] = outcome

    @property
    def rows(self) -> list[dict[str, Any]]:
        """As in ``batch.json``."""
        return [outcome.facts() for outcome in self._outcomes.values()]

    @property
    def counts(self) -> Counter[str]:
        """How many there are of each status."""
        return Counter(outcome.status for outcome in self._outcomes.values())

    def write(self, task: Task, spec: Mapping[str, Any], missing: int) -> None:
        """Write ``batch.json`` and the pages, whole or not at all.

        Args:
            task: of the batch.
            spec: its facts, for ``batch.json``.
            missing: how many jobs were not come to.

        Raises:
            InstyleError: they cannot be written.
        """
        rows = self.rows
        facts = {
            "instyle": version("instyle"),
            **spec,
            "counts": {**self.counts, "missing": missing},
            "photos": rows,
        }
        text = json.dumps(facts, indent=1, ensure_ascii=False)
        write(task.output, "batch.json", text.encode("utf-8", "surrogateescape"))
        for name, page in pages(rows, missing).items():
            write(task.output, name, page.encode("utf-8", "surrogateescape"))


def pages(rows: Sequence[Mapping[str, Any]], missing: int) -> dict[str, str]:
    """The contact sheet, by file names: failures first, with their reasons."""
    template = Template(
        Path(__file__).with_name("sheet.html.j2").read_text("utf-8"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(rows, key=lambda row: _ORDER.index(row["status"]))
    parts = [ordered[n : n + ON_A_PAGE] for n in range(0, len(ordered), ON_A_PAGE)] or [[]]
    names = ["batch.html", *(f"batch-{number}.html" for number in range(2, len(parts) + 1))]
    counts = Counter(row["status"] for row in rows)
    return {
        name: template.render(
            rows=part,
            counts=counts,
            missing=missing,
            names=names,
            present=name,
            link=_link,
            pair=lambda row: _link(f"{OWN}/pairs/{row['name']}.jpg"),
        )
        for name, part in zip(names, parts, strict=True)
    }


def _link(name: str) -> str:
    return quote(name.encode("utf-8", "surrogateescape"))
