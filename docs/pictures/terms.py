"""Four photos repainted without and with the Laplacian, for docs/results.md.

python docs/pictures/terms.py OUTPUT [--depth MODEL]

The photos are scikit-image's: "chelsea" by Stefan van der Walt (CC0), "astronaut" by NASA (public
domain), "coffee" by Rachel Michetti (CC0) and "rocket" by SpaceX (public domain). The paintings are
made by paint_style.py. A row shows the photo, its style, the result of content and style alone, and
that with the Laplacian. --depth takes a name or folder for the extractor `midas`, and adds two
results: with depth, and with both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import skimage.data
import yaml
from paint_style import PALETTES, paint
from PIL import Image
from triptych import GAP, side_by_side

from instyle_core.config.plan import load_plan
from instyle_core.pipeline import run

HEIGHT = 240

#: Photo, what is repainted in it, and the palette, strokes and seed of its style.
ROWS: list[tuple[str, dict[str, Any], str, float, int]] = [
    ("chelsea", {"class": "cat"}, "night", 1.0, 11),
    ("astronaut", {"class": "person"}, "embers", 1.8, 3),
    ("coffee", {"box": [90, 40, 560, 370]}, "meadow", 0.6, 5),
    ("rocket", {"box": [280, 30, 380, 350]}, "ink", 1.2, 7),
]

BASE: list[dict[str, Any]] = [
    {"use": "content", "weight": 1},
    {"use": "style", "weight": 10},
    {"use": "tv", "weight": 0.02},
]
LAPLACIAN = {"use": "laplacian", "weight": 1}
DEPTH = {"use": "depth", "weight": 1}


def row(
    folder: Path, number: int, terms: list[list[dict[str, Any]]], depth: str | None
) -> Image.Image:
    name, select, palette, strokes, seed = ROWS[number]
    photo = Image.fromarray(getattr(skimage.data, name)())
    photo.save(folder / "photo.png")
    style = paint((512, 512), seed, PALETTES[palette], strokes)
    style.save(folder / "style.png")
    cells = [photo, style]
    for losses in terms:
        spec: dict[str, Any] = {
            "version": 1,
            "content": "photo.png",
            "output": "out.png",
            "size": 384,
            "objects": [{"select": select, "style": "style.png"}],
            "losses": losses,
        }
        if depth:
            spec["extractors"] = {"midas": {"use": "midas", "model": depth}}
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        run(load_plan(folder / "spec.yaml"))
        cells.append(Image.open(folder / "out.png").convert("RGB"))
    return side_by_side(cells, HEIGHT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="the picture to write")
    parser.add_argument("--depth", help="name or folder of a depth model")
    options = parser.parse_args()
    combinations = [BASE, [*BASE, LAPLACIAN]]
    if options.depth:
        combinations += [[*BASE, DEPTH], [*BASE, LAPLACIAN, DEPTH]]
    with tempfile.TemporaryDirectory() as name:
        rows = [row(Path(name), n, combinations, options.depth) for n in range(len(ROWS))]
    size = max(line.width for line in rows), len(rows) * (HEIGHT + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for number, line in enumerate(rows):
        sheet.paste(line, (0, number * (HEIGHT + GAP)))
    sheet.save(options.output, quality=88)
