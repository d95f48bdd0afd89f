"""The report of a run: one HTML page with the pictures and the losses, readable offline."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from jinja2 import Template


def page(record: Mapping[str, Any], losses: Sequence[Mapping[str, Any]], picture: str) -> str:
    """The page.

    Args:
        record: the content of ``run.json``.
        losses: the rows of ``losses.csv``.
        picture: the file name of the output, which lies beside the report's folder.
    """
    source = Path(__file__).with_suffix(".html.j2").read_text("utf-8")
    rows = {name: [row for row in losses if row["object"] == name] for name in record["objects"]}
    curves = {name: _curves(rows[name]) for name in rows}
    link = quote(os.fsencode(picture))  # a name may be any bytes
    template = Template(source, autoescape=True, trim_blocks=True)
    return template.render(record, picture=picture, link=link, curves=curves, path=PurePath)


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, str]]:
    """Each loss: its name, its last value, and its points in 640x200 pixels, logarithmic."""
    hidden = {"object", "step", "height", "width"}
    names = dict.fromkeys(key for row in rows for key in row if key not in hidden)
    logs = {
        name: [(row["step"], math.log10(row[name])) for row in rows if row.get(name, 0) > 0]
        for name in names
    }
    values = [log for curve in logs.values() for _, log in curve]
    if not values:
        return []
    high = max(values)
    x, y = 640 / rows[-1]["step"], 200 / max(high - min(values), 1e-9)
    curves = (" ".join(f"{x * s:.1f},{y * (high - log):.1f}" for s, log in logs[n]) for n in names)
    return [(n, rows[-1].get(n, 0.0), curve) for n, curve in zip(names, curves, strict=True)]
