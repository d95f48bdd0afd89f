"""``losses.csv``: a row for each step, written and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from instyle_core.config.plan import part_name
from instyle_core.events import Step

#: A row by its columns.
Row = dict[str, Any]

#: The columns that are not losses. All others are floats: each loss, and their total.
_TYPES = {"object": str, "step": int, "height": int, "width": int}


def row_of(step: Step) -> Row:
    """The row of a step."""
    row: Row = {"object": part_name(step.item), "step": step.step}
    row |= {"height": step.size[0], "width": step.size[1], "total": step.total}
    return row | dict(step.losses)


def write_rows(rows: Sequence[Row]) -> str:
    """The text of the file; a column is empty in the rows of objects without that loss."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def read_rows(text: str) -> list[Row]:
    """Read the rows back; numbers are exactly those that were written.

    Raises:
        ValueError, TypeError, csv.Error: the text is not that of such a file.
    """
    return [
        {key: _TYPES.get(key, float)(value) for key, value in row.items() if value != ""}
        for row in csv.DictReader(io.StringIO(text), strict=True)
    ]
