"""Text and tables for any width; it needs no rich, which takes long to import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import IO

#: To have all columns side by side, a cell may take about so many lines; short ones take one.
_LINES, _SHORT = 6, 8

#: What a line is never broken within, and the space before it.
_UNIT = re.compile(r"(\s*)(`[^`]*`\S*|\S+)")


#: All but tabs and line breaks.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def width_of(stream: IO[str]) -> int | None:
    """The columns of the terminal that a stream goes to; None elsewhere: lines may be long there.

    The environment variable ``COLUMNS`` overrides both.
    """
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (OSError, ValueError):
        return None


def visible(text: str) -> str:
    """A text in which control characters are shown, such as ``\\x1b``, and not obeyed.

    Names and messages may be of files and plugins by anybody; a terminal could be told to hide or
    to fake lines.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def wrap(text: str, width: int | None, indent: str = "  ") -> str:
    """A text in lines of at most `width` columns, the further ones indented; None for no limit.

    Words are kept whole, such as long paths, and so are commands between backticks, so that they
    can be copied. Control characters are made visible.
    """
    text = visible(text)
    if "\n" in text:
        return "\n".join(wrap(line, width, indent) for line in text.split("\n"))
    if width is None or _length(text) <= width:
        return text
    lines = [""]
    for space, word in _UNIT.findall(text):
        longer = lines[-1] + space + word
        if lines[-1].strip() and _length(longer) > width:
            longer = indent + word
            lines.append("")
        lines[-1] = longer
    return "\n".join(lines)


def table(rows: Iterable[Sequence[str]], width: int | None) -> str:
    """Rows of texts in columns, the first row the headings; nothing is left out.

    Where columns would get too narrow, each row becomes a paragraph with a line for each cell.
    """
    headings, *others = ([visible(cell) for cell in row] for row in rows)
    widths = _widths([headings, *others], width)
    if widths is None:
        paragraphs = [
            [
                wrap(f"{head}: {cell}", width)
                for head, cell in zip(headings, row, strict=True)
                if cell
            ]
            for row in others
        ]
        return "\n\n".join("\n".join(lines) for lines in paragraphs) + "\n"
    lines = []
    for row in [headings, *others]:
        cells = [wrap(cell, wide, "").split("\n") for cell, wide in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (
                part + " " * (w - _length(part)) for part, w in zip(parts, widths, strict=True)
            )
            lines.append("  ".join(padded).rstrip())
    return "\n".join(lines) + "\n"


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """The widths of columns that fit side by side; None if they do not."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(_length, column)) for column in columns]
    units = [[unit for cell in column for _, unit in _UNIT.findall(cell)] for column in columns]
    least = [
        max(wide // _LINES, min(wide, _SHORT), *map(_length, ["", *found]))
        for wide, found in zip(widths, units, strict=True)
    ]
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        room = [wide - low for wide, low in zip(widths, least, strict=True)]
        if not max(room):
            return None
        widths[room.index(max(room))] -= 1
    return widths


def _length(text: str) -> int:
    """The columns that a text takes; letters of some scripts take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours if there are any: ``4:07``, ``3:04:07``."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
