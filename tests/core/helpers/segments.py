"""What ``instyle segment`` found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from instyle_core.interfaces.pictures import Box
from tests.core.helpers.commands import Done
from tests.core.helpers.studio import rectangle

#: A semantic segmenter, which cannot tell objects apart.
STENCIL = "{use: stencil, path: mask.png, name: object}"

#: Three boxes in the photo of a `Studio`; the second one is the largest.
SEVERAL = [(2, 2, 12, 12), (20, 5, 50, 25), (30, 34, 36, 40)]

Segment = Callable[..., Done]


def rectangles(boxes: Sequence[Box]) -> np.ndarray:
    """A mask (H, W), 0 or 255, of all boxes."""
    return np.max([rectangle(box) for box in boxes], axis=0)


def objects(done: Done) -> list[dict[str, Any]]:
    """The objects that were found, from ``--json``."""
    assert (done.status, done.err) == (0, "")
    listed: list[dict[str, Any]] = json.loads(done.out)["objects"]
    return listed


def selected(done: Done) -> list[dict[str, Any]]:
    return [row for row in objects(done) if row["selected"]]


def assert_refused(done: Done, *words: str) -> None:
    """Wrong input or usage, told on standard error alone."""
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(("error: ", "Usage: "))
    for word in words:
        assert word in done.err
