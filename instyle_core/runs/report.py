"""The report of a run: one HTML page with the pictures and the losses, readable offline."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

_WIDTH, _HEIGHT = 640, 200

_COLORS = ("#1f5fa8", "#c8502d", "#3f8f4f", "#8a4fa0", "#a8841f", "#4fa0a0")

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "img{max-width:100%;max-height:30em;margin:.25em}table{border-collapse:collapse}"
    "td,th{padding:.1em .8em;text-align:left}"
)


def page(record: Mapping[str, Any], losses: Sequence[Mapping[str, Any]], picture: str) -> str:
    """The page.

    Args:
        record: the content of ``run.json``.
        losses: the rows of ``losses.csv``.
        picture: the file name of the output, which lies beside the report's folder.
    """
    title = html.escape(picture)
    link = quote(os.fsencode(picture))  # a name may be any bytes
    sections = [f"<h1>{title}</h1>", f'<img src="../{link}" alt="the result">']
    status = record["status"] + (f": {record['reason']}" if record["reason"] else "")
    sections.append(f"<p>{html.escape(status)}, {record['seconds']['total']:.1f} s.</p>")
    sections += [f"<p>{html.escape(note)}</p>" for note in record["notes"]]
    for name, facts in record["objects"].items():
        sections.append(f"<h2>{html.escape(name)}</h2>")
        if facts.get("pixels"):
            sections.append(f'<img src="{name}/mask.png" alt="mask">')
        if facts.get("style"):
            sections.append(_ranking(facts["style"]["ranking"]))
        sections.append(f'<img src="{name}/stylized.png" alt="stylized crop">')
        sections.append(_chart([row for row in losses if row["object"] == name]))
    rows = "".join(
        f"<tr><th>{html.escape(stage)}</th><td>{seconds:.2f} s</td></tr>"
        for stage, seconds in record["seconds"].items()
    )
    sections.append(f"<h2>Time</h2><table>{rows}</table>")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style>{''.join(sections)}</html>\n"
    )


def _ranking(ranking: Sequence[Mapping[str, Any]]) -> str:
    """The style pictures that there were to choose from, best first."""
    figures = list(dict.fromkeys(name for rated in ranking for name in rated["figures"]))
    rows = [["style", "score", *figures]]
    for rated in ranking:
        values = [rated["score"], *(rated["figures"].get(name) for name in figures)]
        texts = ("" if value is None else f"{value:.4g}" for value in values)
        rows.append([PurePath(rated["picture"]).name, *texts])
    cells = (("".join(f"<td>{html.escape(cell)}</td>" for cell in row)) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """The weighted losses over the steps, on a logarithmic scale."""
    hidden = {"object", "step", "height", "width"}
    names = list(dict.fromkeys(key for row in rows for key in row if key not in hidden))
    values = [row[name] for row in rows for name in names if row.get(name, 0) > 0]
    if not values:
        return ""
    low, high = math.log10(min(values)), math.log10(max(values))
    span = max(high - low, 1e-9)
    last = max(row["step"] for row in rows)
    lines, legend = [], []
    for index, name in enumerate(names):
        color = _COLORS[index % len(_COLORS)]
        points = " ".join(
            f"{row['step'] / last * _WIDTH:.1f},"
            f"{(high - math.log10(row[name])) / span * _HEIGHT:.1f}"
            for row in rows
            if row.get(name, 0) > 0
        )
        lines.append(f'<polyline fill="none" stroke="{color}" points="{points}"/>')
        final = rows[-1].get(name, 0.0)
        legend.append(f'<span style="color:{color}">{html.escape(name)} {final:.4g}</span>')
    return (
        f'<p>{" &nbsp; ".join(legend)}</p><svg viewBox="0 -4 {_WIDTH} {_HEIGHT + 8}" '
        f'width="{_WIDTH}" role="img" aria-label="losses over steps, logarithmic">'
        f"{''.join(lines)}</svg>"
    )
