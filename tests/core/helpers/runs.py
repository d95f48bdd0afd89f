"""What a run has written."""

from __future__ import annotations

import csv
import json
from typing import Any

from instyle_core.pipeline import Result
from tests.core.helpers.studio import Studio, rectangle, save


def record(result: Result) -> dict[str, Any]:
    return json.loads((result.folder / "run.json").read_text(encoding="utf-8"))


def rows(result: Result) -> list[dict[str, str]]:
    with (result.folder / "losses.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def two_objects(studio: Studio, **changes: Any) -> Result:
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    second = {
        "segmenter": {"use": "stencil", "path": "second.png"},
        "losses": [{"use": "inks", "weight": 2}, {"use": "tint", "weight": 0.5}],
    }
    return studio.run(objects=[{}, second], **changes)
