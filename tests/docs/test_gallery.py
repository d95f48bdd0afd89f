"""The gallery is what its script makes, and small."""

from __future__ import annotations

import runpy
from pathlib import Path

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
