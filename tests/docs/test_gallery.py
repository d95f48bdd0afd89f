"""The gallery is what its script makes, and small."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_and_its_pictures() -> None:
    script = runpy.run_path(str(DOCS / "pictures" / "gallery.py"))
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == script["page"]()
    pictures = {path.stem: path for path in script["FOLDER"].iterdir()}
    assert pictures.keys() == {piece.name for piece in script["PIECES"]}
    assert len(pictures) >= 12
    for path in pictures.values():
        assert path.stat().st_size <= script["BYTES"]
        with Image.open(path) as picture:
            assert picture.height == script["HEIGHT"]


def test_what_has_no_selection_has_an_outline() -> None:
    script = runpy.run_path(str(DOCS / "pictures" / "gallery.py"))
    outlines = yaml.safe_load(script["OUTLINES"].read_text(encoding="utf-8"))
    assert outlines.keys() >= {piece.photo for piece in script["PIECES"] if not piece.select}
    for photo, text in outlines.items():
        corners = np.array([point.split(",") for point in text.split()], dtype=float)
        x, y = corners.T
        # The shoelace formula: a mask of 1 inside has the polygon's area.
        area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        mask = script["outlined"](photo, tuple(np.ceil(corners.max(0)).astype(int).tolist()))
        assert np.asarray(mask).sum() / 255 == pytest.approx(area, rel=0.01), photo
