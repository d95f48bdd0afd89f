"""Paint the gallery: docs/gallery.md, and the pictures that it shows.

    python docs/pictures/gallery.py SOURCES [--only PHOTO,PHOTO...]

SOURCES is a folder with the paintings and photos that are named below, each as PNG, JPEG or WebP;
the photos that scikit-image brings along need not be there. Each picture shows the result, and on
its left the photo and the painting. All results are the preset `default`'s, at smaller sizes:
photos are shrunk to a long side of 512 pixels, and the crop around the object to 384.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import skimage.data
import yaml
from PIL import Image, ImageDraw

from instyle_core import load_plan, run
from instyle_core.config.plan import preset_text
from instyle_core.files import write_atomically

PAGE = Path(__file__).parents[1] / "gallery.md"
FOLDER = Path(__file__).with_name("gallery")
OUTLINES = Path(__file__).with_name("outlines.yaml")

SIZES = {"shrink": 512, "size": 384}

#: Height of a picture of the gallery, gap between its parts, in pixels; and the most bytes.
HEIGHT, GAP, BYTES = 400, 6, 60_000

#: Photos, with those who made them. All are in the public domain or CC0.
PHOTOS = {
    "chelsea": "a cat, by Stefan van der Walt, CC0, from scikit-image",
    "astronaut": "Eileen Collins, by NASA, public domain, from scikit-image",
    "coffee": "a cup of coffee, by Rachel Michetti, CC0, from scikit-image",
    "bison": "a bison, by Kurt Kaiser, CC0, from GCompris",
    "cow": "a cow, by Dohduhdah, public domain, from GCompris",
    "duck": "a duck, by Bernard Spragg, CC0, from GCompris",
    "koala": "a koala, by BurningWell, public domain, from GCompris",
    "kitten": "a kitten, by Loliloli, public domain, from GCompris",
    "scarlet_macaw": "a macaw, by Dcoetzee, CC0, from GCompris",
    "sheep": "a sheep, by Rob Mitchell, CC0, from GCompris",
}

#: Paintings, all in the public domain: their painters died over 100 years ago.
PAINTINGS = {
    "starry_night": "Vincent van Gogh, *The Starry Night*, 1889",
    "cypresses": "Vincent van Gogh, *Wheat Field with Cypresses*, 1889",
    "harvest": "Vincent van Gogh, *Harvest in Provence*, 1888",
    "shipwreck": "J. M. W. Turner, *The Wreck of a Transport Ship*, about 1810",
    "great_wave": "After Katsushika Hokusai, *The Great Wave off Kanagawa*, about 1831",
}


@dataclass(frozen=True)
class Piece:
    """A photo, the painting, and what is repainted: without `select`, what the outline encloses."""

    photo: str
    painting: str
    select: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.photo}-{self.painting}".replace("_", "-")


PIECES = [
    Piece("chelsea", "starry_night", {"class": "cat"}),
    Piece("astronaut", "cypresses", {"box": [70, 10, 380, 420]}),
    Piece("coffee", "great_wave"),
    Piece("bison", "shipwreck", {"box": [200, 85, 840, 580]}),
    Piece("cow", "great_wave", {"class": "cow"}),
    Piece("duck", "starry_night", {"box": [115, 195, 830, 890]}),
    Piece("koala", "cypresses", {"box": [105, 235, 660, 895]}),
    Piece("kitten", "harvest", {"box": [180, 95, 1018, 585]}),
    Piece("scarlet_macaw", "great_wave", {"box": [225, 90, 940, 790]}),
    Piece("sheep", "cypresses", {"class": "sheep"}),
    Piece("scarlet_macaw", "cypresses", {"box": [225, 90, 940, 790]}),
    Piece("chelsea", "shipwreck", {"class": "cat"}),
]

#: Photos whose object the outline encloses.
BY_HAND = sorted({piece.photo.replace("_", " ") for piece in PIECES if not piece.select})

INTRODUCTION = f"""# Gallery

Each picture shows the result, and on its left the photo and the painting. All results are those of
the preset `default`; losses and optimizer were not tuned for a picture. What was chosen by looking:
a moose, an owl and a hedgehog were left out, whose masks failed or whose eyes were lost, and how
the objects are selected was changed after a first try. Outlines were drawn by hand where the
segmenter missed a part or took in too much ({", ".join(BY_HAND)}): their corners are in
[outlines.yaml](pictures/outlines.yaml), and the segmenter `mask` reads what they enclose. Photos
were shrunk to a long side of {SIZES["shrink"]} pixels, and the crop around the object to
{SIZES["size"]}. One command makes all (here with convolutions by NNPACK, so that another run may
end in other patches of color):

```console
$ python docs/pictures/gallery.py SOURCES
```

The photos are in the public domain or CC0. They come with scikit-image, and with Debian's package
`gcompris-qt-data`, whose README names authors and licenses. The paintings are in the public domain:
their painters died over 100 years ago.
"""


def picture(name: str, sources: Path) -> Image.Image:
    """A photo or painting, by its name."""
    for path in sorted(sources.glob(f"{name}.*")):
        return Image.open(path).convert("RGB")
    if name in PHOTOS and hasattr(skimage.data, name):
        return Image.fromarray(getattr(skimage.data, name)())
    raise SystemExit(f"{sources} has no {name}.png, .jpg or .webp")


def outlined(photo: str, size: tuple[int, int]) -> Image.Image:
    """The mask inside the outline that was drawn by hand, gray where it cuts a pixel."""
    scale = 4
    mask = Image.new("L", (scale * size[0], scale * size[1]))
    points = yaml.safe_load(OUTLINES.read_text(encoding="utf-8"))[photo].split()
    corners = [tuple(scale * float(value) for value in point.split(",")) for point in points]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask.reduce(scale)


def painted(piece: Piece, sources: Path) -> Image.Image:
    """The result, with photo and painting on its left."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        given = [picture(source, sources) for source in (piece.photo, piece.painting)]
        for image, file in zip(given, ("photo.png", "painting.png"), strict=True):
            image.save(folder / file)
        spec = yaml.safe_load(preset_text("default"))
        if piece.select:
            use = "grabcut" if "box" in piece.select else "fcn8s"
            which = {"segmenter": {"use": use}, "select": dict(piece.select)}
        else:
            outlined(piece.photo, given[0].size).save(folder / "mask.png")
            which = {"segmenter": {"use": "mask", "path": "mask.png"}}
        objects = [{**which, "style": "painting.png"}]
        files = {"content": "photo.png", "output": "result.png", "objects": objects}
        (folder / "spec.yaml").write_text(yaml.safe_dump({**spec, **files, **SIZES}))
        made = run(load_plan(folder / "spec.yaml"))
        if made.status != "finished":
            raise SystemExit(f"{piece.name}: {made.status}")
        result = Image.open(made.output).convert("RGB")
    half = (HEIGHT - GAP) // 2
    column = [at_height(image, half) for image in given]
    result = at_height(result, HEIGHT)
    left = max(image.width for image in column)
    sheet = Image.new("RGB", (left + GAP + result.width, HEIGHT), "white")
    for number, image in enumerate(column):
        sheet.paste(image, ((left - image.width) // 2, number * (half + GAP)))
    sheet.paste(result, (left + GAP, 0))
    return sheet


def at_height(image: Image.Image, height: int) -> Image.Image:
    width = round(image.width * height / image.height)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image) -> bytes:
    """The file of the highest quality that is small enough."""
    for quality in range(92, 0, -2):
        file = BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= BYTES:
            break
    return file.getvalue()


def page() -> str:
    """docs/gallery.md."""
    parts = [INTRODUCTION]
    for piece in PIECES:
        what = f"{PHOTOS[piece.photo]}. {PAINTINGS[piece.painting]}."
        what = what[0].upper() + what[1:]
        alt = f"{PHOTOS[piece.photo].split(',')[0]}, repainted"
        parts.append(f"![{alt}](pictures/gallery/{piece.name}.jpg)\n\n{what}\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, help="a folder with the paintings and photos")
    parser.add_argument("--only", help="paint these photos alone, separated by commas")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for piece in PIECES:
        if not options.only or piece.photo in options.only.split(","):
            write_atomically(FOLDER / f"{piece.name}.jpg", jpeg(painted(piece, options.sources)))
            print(piece.name, flush=True)
    write_atomically(PAGE, page().encode())


if __name__ == "__main__":
    main()
