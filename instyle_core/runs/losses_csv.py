"""``losses.csv``: a row for each step, written and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from instyle_core.config.plan import part_name
from instyle_core.events import Step

Row = dict[str, Any]


#: The columns that are not a term of the objective or their total.
_TYPES = {"object": str, "step": int, "height": int, "width": int}


def row_of(step: Step) -> Row:
    """The row of a step."""
    row: Row = {"object": part_name(step.item), "step": step.step}
    row |= {"height": step.size[0], "width": step.size[1], "total": step.total}
    return row | dict(step.losses)


def write_rows(rows: Sequence[Row]) -> str:
    """The text of the file; terms that an object does not have are left empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def read_rows(text: str) -> list[Row]:
    """The rows that such a text was written from, to the last bit.

    Raises:
        ValueError: the text is something else.
    """
    return [
        {key: _TYPES.get(key, float)(value) for key, value in row.items() if value != ""}
        for row in csv.DictReader(io.StringIO(text), strict=True)
    ]
