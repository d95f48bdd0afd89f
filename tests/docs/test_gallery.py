"""The gallery is what its script makes, and small."""

from __future__ import annotations

import runpy
from pathlib import Path

from PIL import Image

from instyle_core.config.select import Select

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


def test_every_photo_is_told_of_and_selected_as_in_a_spec() -> None:
    script = runpy.run_path(str(DOCS / "pictures" / "gallery.py"))
    pieces, selected = script["PIECES"], script["SELECTED"]
    assert {piece.photo for piece in pieces} == selected.keys() == script["PHOTOS"].keys()
    assert {piece.painting for piece in pieces} == script["PAINTINGS"].keys()
    for photo, said in selected.items():
        extra = {key: said[key] for key in ("crop", "band") if key in said}
        rest = {key: value for key, value in said.items() if key not in extra}
        select = Select.model_validate(rest)
        assert not {*(select.points or ())} & {*(select.not_points or ())}, photo
        assert select.points, photo
