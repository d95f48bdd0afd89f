"""A folder of style pictures, and two objects that choose from it by color."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.core.helpers.studio import BOX, Studio, noise, rectangle, save

COLORS = {
    "blue.png": (0, 0, 250),
    "brown.png": (130, 80, 30),
    "green.png": (0, 250, 0),
    "orange.png": (250, 130, 0),
}
#: The object's color, and that of a second one.
RED, TEAL = (200, 60, 20), (10, 120, 150)
SECOND = (45, 5, 58, 18)
NEAR: dict[str, Any] = {"choose_from": "styles", "ranker": "near"}


def fill(studio: Studio) -> Path:
    """A folder of pictures of one color each, and a photo with two plain objects in it."""
    folder = studio.folder / "styles"
    folder.mkdir()
    for name, color in COLORS.items():
        save(folder / name, np.full((20, 30, 3), color, np.uint8))
    photo = noise()
    photo[rectangle(BOX) > 0] = RED
    photo[rectangle(SECOND) > 0] = TEAL
    save(studio.folder / "photo.png", photo)
    save(studio.folder / "second.png", rectangle(SECOND))
    return folder


def distances(color: Sequence[int]) -> dict[str, float]:
    """The distance of a color from that of each picture, nearest first."""
    found = {name: float(np.linalg.norm(np.subtract(color, c))) / 255 for name, c in COLORS.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def second(**more: Any) -> dict[str, Any]:
    return {"segmenter": {"use": "stencil", "path": "second.png"}, **more}
