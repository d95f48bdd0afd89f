"""The report of a run: one HTML page with the pictures and the losses, readable offline."""

from __future__ import annotations

import math
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from jinja2 import Template


def page(
    record: Mapping[str, Any],
    losses: Sequence[Mapping[str, Any]],
    picture: str,
    photo: str | None = None,
) -> str:
    """The page.

    Whatever is written in it, its own script is the only one that a browser runs.

    Args:
        record: the content of ``run.json``.
        losses: the rows of ``losses.csv``.
        picture: the file name of the output, which lies beside the report's folder.
        photo: the address of the photo, as `link_to` makes it; None to show the output alone.
    """
    source, style, script = (
        Path(__file__).with_suffix(suffix).read_text("utf-8")
        for suffix in (".html.j2", ".css", ".js")
    )
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    rows = {name: [row for row in losses if row["object"] == name] for name in record["objects"]}
    curves = {name: _curves(rows[name]) for name in rows}
    link = quote(os.fsencode(picture))  # a name may be any bytes
    template = Template(source, autoescape=True, trim_blocks=True)
    return template.render(
        record,
        picture=picture,
        link=link,
        photo=photo,
        curves=curves,
        path=PurePath,
        style=style,
        script=script,
        policy=policy,
    )


def link_to(path: Path, folder: str) -> str:
    """The address of a file, relative to a folder where they are on one disk."""
    try:
        return quote(os.fsencode(Path(os.path.relpath(path, folder)).as_posix()))
    except ValueError:  # two drives of Windows
        return path.as_uri()


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls a script or a style."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


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
