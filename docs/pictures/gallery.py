"""Paint the gallery: docs/gallery.md, and the pictures that it shows.

    python docs/pictures/gallery.py SOURCES [--only PHOTO,PHOTO...]

SOURCES is a folder with the paintings and photos that are named below, each as PNG, JPEG or WebP;
the photos that scikit-image brings along need not be there. Each picture shows the result, and on
its left the photo and the painting. All results are the preset `default`'s; photos are shrunk to a
long side of 640 pixels. What is repainted is in gallery.yaml.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import skimage.data
import yaml
from PIL import Image

from instyle_core import load_plan, run
from instyle_core.config.plan import preset_text
from instyle_core.files import write_atomically

PAGE = Path(__file__).parents[1] / "gallery.md"
FOLDER = Path(__file__).with_name("gallery")
SELECTED = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))

#: The long side of the photos, in pixels.
SHRINK = 640

#: How wide the soft edge may be, unless gallery.yaml says otherwise; see the refiner `matting`.
BAND = 0.05

#: Height of a picture of the gallery, gap between its parts, in pixels; and the most bytes.
HEIGHT, GAP, BYTES = 400, 6, 60_000

#: Photos, with those who made them. All are in the public domain or CC0.
PHOTOS = {
    "chelsea": "a cat, by Stefan van der Walt, CC0, from scikit-image",
    "astronaut": "Eileen Collins, by NASA, public domain, from scikit-image",
    "coffee": "a cup of coffee, by Rachel Michetti, CC0, from scikit-image",
    "bison": "a bison, by Kurt Kaiser, CC0, from GCompris",
    "cow": "a cow, by Dohduhdah, public domain, from GCompris",
    "dog": "a German shepherd, by Hans Kemperman, public domain, from GCompris",
    "duck": "a duck, by Bernard Spragg, CC0, from GCompris",
    "kingfisher": "a kingfisher, by Frank-2.0, CC0, from GCompris",
    "koala": "a koala, by BurningWell, public domain, from GCompris",
    "kitten": "a kitten, by Loliloli, public domain, from GCompris",
    "red_panda": "a red panda, by Mathias Appel, CC0, from GCompris",
    "sheep": "a sheep, by Rob Mitchell, CC0, from GCompris",
    "statue": "the Statue of Liberty, by Ypsilonatshared, public domain, from GCompris",
}

#: Paintings, all in the public domain: their painters died over 100 years ago.
PAINTINGS = {
    "starry_night": "Vincent van Gogh, *The Starry Night*, 1889",
    "cafe_terrace": "Vincent van Gogh, *Café Terrace at Night*, 1888",
    "tarascon": "Vincent van Gogh, *The Painter on the Road to Tarascon*, 1888",
    "church_auvers": "Vincent van Gogh, *The Church at Auvers*, 1890",
    "village_auvers": "Vincent van Gogh, *Street in Auvers-sur-Oise*, 1890",
    "shipwreck": "J. M. W. Turner, *The Wreck of a Transport Ship*, about 1810",
    "great_wave": "After Katsushika Hokusai, *The Great Wave off Kanagawa*, about 1831",
}


@dataclass(frozen=True)
class Piece:
    """A photo and the painting."""

    photo: str
    painting: str

    @property
    def name(self) -> str:
        return f"{self.photo}-{self.painting}".replace("_", "-")


PIECES = [
    Piece("chelsea", "starry_night"),
    Piece("koala", "village_auvers"),
    Piece("astronaut", "great_wave"),
    Piece("dog", "starry_night"),
    Piece("red_panda", "church_auvers"),
    Piece("sheep", "cafe_terrace"),
    Piece("kingfisher", "tarascon"),
    Piece("cow", "great_wave"),
    Piece("duck", "starry_night"),
    Piece("statue", "village_auvers"),
    Piece("bison", "cafe_terrace"),
    Piece("kitten", "tarascon"),
    Piece("coffee", "great_wave"),
    Piece("chelsea", "shipwreck"),
]

INTRODUCTION = f"""# Gallery

Each picture shows the result, and on its left the photo and the painting. All results are those of
the preset `default`; losses and optimizer were not tuned for a picture. Photos were shrunk to a
long side of {SHRINK} pixels. What is repainted was told by a few clicks on the photo, which are in
[gallery.yaml](pictures/gallery.yaml), and cut out by `{{use: click, refine: matting}}`. What was
chosen by looking: of seven paintings for each of fifteen photos, these. One command makes all (here
on one NVIDIA H100, 4 to 9 seconds each; another machine may end in other patches of color). They
were painted before the last training of `click`, and the clicks on three of the photos were set
anew for the weights that ship:

```console
$ python docs/pictures/gallery.py SOURCES
```

The photos are in the public domain or CC0. They come with scikit-image, and with Debian's package
`gcompris-qt-data`, whose README names authors and licenses; that of the statue is cropped. The
paintings are in the public domain: their painters died over 100 years ago.
"""


def picture(name: str, sources: Path) -> Image.Image:
    """A photo or painting, by its name."""
    for path in sorted(sources.glob(f"{name}.*")):
        return Image.open(path).convert("RGB")
    if name in PHOTOS and hasattr(skimage.data, name):
        return Image.fromarray(getattr(skimage.data, name)())
    raise SystemExit(f"{sources} has no {name}.png, .jpg or .webp")


def painted(piece: Piece, sources: Path) -> Image.Image:
    """The result, with photo and painting on its left."""
    selected = dict(SELECTED[piece.photo])
    photo, painting = (picture(source, sources) for source in (piece.photo, piece.painting))
    if crop := selected.pop("crop", None):
        photo = photo.crop(crop)
    refine = {"use": "matting", "band": selected.pop("band", BAND)}
    with TemporaryDirectory() as name:
        folder = Path(name)
        photo.save(folder / "photo.png")
        painting.save(folder / "painting.png")
        spec = yaml.safe_load(preset_text("default"))
        segmenter = {"use": "click", "refine": refine}
        objects = [{"segmenter": segmenter, "select": selected, "style": "painting.png"}]
        files = {"content": "photo.png", "output": "result.png", "objects": objects}
        (folder / "spec.yaml").write_text(yaml.safe_dump({**spec, **files, "shrink": SHRINK}))
        made = run(load_plan(folder / "spec.yaml"))
        if made.status != "finished":
            raise SystemExit(f"{piece.name}: {made.status}")
        return together(photo, painting, Image.open(made.output).convert("RGB"))


def together(photo: Image.Image, painting: Image.Image, result: Image.Image) -> Image.Image:
    half = (HEIGHT - GAP) // 2
    column = [at_height(image, half) for image in (photo, painting)]
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
