"""What each term of the objective does, on real photos.

    python tests/benchmarks/ablation.py --data FOLDER [--photos 12] [--paintings FOLDER]...
        [--preset default] [--depth MODEL] [--laplacian WEIGHT] [--size 256] [--steps 150]
        [--picture FILE]

FOLDER of --data holds VOCdevkit/VOC2012. The largest animal or person of each photo, by its true
mask, is repainted after one of the paintings in turn: four that docs/pictures/paint_style.py makes,
and those of the folders given. Everything but the Laplacian and the depth is as in the preset.
Measured inside of the object, at the size that was optimized:

- style distance: the value of the loss `style` with its defaults, in float32;
- edges kept: the correlation of photo and result after a Laplacian of a Gaussian of 2 pixels (none
  of the filters of the loss) of their luminance;
- SSIM: the structural similarity of their luminance (Wang et al. 2004, Gaussian window);
- depth error: root of the mean squared difference of their depth maps, each with mean 0 and
  standard deviation 1, by the model of --depth: a name that the extractor `midas` knows, or a
  folder. Without one, no depth is measured.

Whatever keeps more of the photo takes over less of the style. The row "at equal style distance" is
without either, but with a smaller weight of `style` or `transport`, such that the style distance is
that of the row with the Laplacian: what that row has beyond this one is what the Laplacian is good
for.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
import yaml
from bench_seam import largest_object
from PIL import Image
from scipy.ndimage import gaussian_laplace
from skimage.metrics import structural_similarity
from torch import Tensor

from instyle_core import FeatureExtractor, Targets
from instyle_core.config.plan import Plan, load_plan, preset_text
from instyle_core.device import choose_precision
from instyle_core.images.resize import resize
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.painting.color import luminance
from instyle_core.painting.crop import Crop
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_losses.params import StyleParams
from instyle_losses.style import StyleLoss
from instyle_training.voc import Photos, open_voc

PAINTER = Path(__file__).parents[2] / "docs" / "pictures" / "paint_style.py"

#: Name, palette, size of the strokes and seed of the paintings.
PAINTINGS = (("night", 1.0, 11), ("embers", 1.8, 3), ("meadow", 0.6, 5), ("ink", 1.2, 7))

#: The losses whose weight sets how much style there is, by preset.
STYLE_TERMS = {"default": "transport", "gatys": "style"}

#: By what its weight is divided where there is neither Laplacian nor depth.
LESS_STYLE = (1.0, 1.6, 2.5, 4.0)

DEPTH_WEIGHT = 1.0

ROWS = (
    "without laplacian",
    "the same, at equal style distance",
    "with laplacian",
    "with depth",
    "with laplacian and depth",
)

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Pair:
    """An object and what it is to look like: photo (3, H, W), mask (1, H, W), style (3, h, w)."""

    name: str
    photo: Tensor
    mask: Tensor
    style: Tensor


@dataclass(frozen=True)
class Figures:
    """What a result is measured by; depth is None where it was not measured."""

    style: float
    edges: float
    ssim: float
    depth: float | None
    seconds: float


def pairs(photos: Photos, styles: Sequence[Path], count: int) -> Iterator[Pair]:
    """Photos in an order that is always the same, with objects of 8% to 60% of the picture."""
    order = list(range(len(photos)))
    random.Random(1).shuffle(order)
    found = 0
    for index in order:
        pixels, labels = photos[index]
        _, inside = largest_object(labels.numpy())
        if 0.08 < inside.mean() < 0.6 and found < count:
            style = np.array(Image.open(styles[found % len(styles)]).convert("RGB"))
            painting = torch.from_numpy(style).permute(2, 0, 1) / 255
            mask = torch.from_numpy(inside)[None].float()
            yield Pair(photos.names[index], pixels.float() / 255, mask, painting)
            found += 1


class Bench:
    """The networks, loaded once, and the runs."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        Image.new("RGB", (64, 64)).save(folder / "any.png")
        self._preset = yaml.safe_load(preset_text(options.preset))
        self._precision = choose_precision("auto", CPU)
        every = self.plan(laplacian=True, depth=bool(options.depth))
        self._extractors: dict[str, FeatureExtractor] = {
            name: use.create().to(CPU, torch.float32) for name, use in every.extractors.items()
        }
        self._params = {name: use.params for name, use in every.extractors.items()}

    def plan(self, less: float = 1.0, *, laplacian: bool = False, depth: bool = False) -> Plan:
        """A spec with these terms; its pictures are of no account."""
        losses: list[dict[str, Any]] = []
        for loss in self._preset["losses"]:
            weight = loss["weight"]
            if loss["use"] == STYLE_TERMS[self._options.preset]:
                weight /= less
            if loss["use"] == "laplacian":
                if not laplacian:
                    continue
                weight = self._options.laplacian or weight
            losses.append({**loss, "weight": weight})
        if depth:
            losses.append({"use": "depth", "weight": DEPTH_WEIGHT})
        spec: dict[str, Any] = {
            "version": 1,
            "content": "any.png",
            "style": "any.png",
            "output": "out.png",
            "size": self._options.size,
            "losses": losses,
            "optimizer": {**self._preset["optimizer"], "steps": self._options.steps},
        }
        if self._options.depth:
            spec["extractors"] = {"midas": {"use": "midas", "model": self._options.depth}}
        path = self._folder / "spec.yaml"
        path.write_text(yaml.safe_dump(spec), encoding="utf-8")
        return load_plan(path)

    def run(self, pair: Pair, plan: Plan) -> tuple[Figures, Tensor]:
        """The figures, and the picture (3, h, w) of the size that was optimized."""
        box = crop_box(pair.mask, plan.spec.margin)
        content, mask = crop(pair.photo, box), crop(pair.mask, box)
        part = Crop(content, mask, mask, [pair.style])
        torch.manual_seed(0)
        began = time.perf_counter()
        networks = Networks(self._extractors, CPU, self._precision, self._params)
        assert plan.whole
        outcome = stylize(part, plan.whole, plan.spec, networks, lambda progress: None)
        seconds = time.perf_counter() - began
        assert outcome.picture is not None
        return self._measure(pair, content, mask, outcome.picture, seconds), outcome.picture

    @torch.no_grad()
    def _measure(
        self, pair: Pair, content: Tensor, mask: Tensor, picture: Tensor, seconds: float
    ) -> Figures:
        size = (picture.shape[1], picture.shape[2])
        photo = resize(content, size)
        inside = resize(mask, size)[0].numpy() > 0.5
        gray = [luminance(image)[0].numpy().astype(float) for image in (photo, picture)]
        edges = [gaussian_laplace(image, 2.0)[inside] for image in gray]
        _, similarity = structural_similarity(
            *gray, data_range=1.0, gaussian_weights=True, full=True
        )
        return Figures(
            style=self._style_distance(pair, photo, inside, picture),
            edges=float(np.corrcoef(*edges)[0, 1]),
            ssim=float(similarity[inside].mean()),
            depth=self._depth_error(photo, picture, inside),
            seconds=seconds,
        )

    def _style_distance(
        self, pair: Pair, photo: Tensor, inside: np.ndarray, picture: Tensor
    ) -> float:
        params = StyleParams()
        stack = FeatureStack(self._extractors, [params.reads()], CPU, params=self._params)
        within = MaskPyramid(torch.from_numpy(inside)[None, None].float())
        factor = max(picture.shape[1:]) / max(pair.style.shape[1:])
        height, width = (round(side * factor) for side in pair.style.shape[1:])
        style = resize(pair.style, (height, width))[None]
        loss = StyleLoss(params)
        everywhere = MaskPyramid(torch.ones_like(style[:, :1]))
        target = stack.view(style, everywhere)
        loss.prepare(Targets(stack.view(photo[None], within), (target,), (1.0,)))
        return float(loss(stack.view(picture[None], within)))

    def _depth_error(self, photo: Tensor, picture: Tensor, inside: np.ndarray) -> float | None:
        if "midas" not in self._extractors:
            return None
        maps = []
        for image in (photo, picture):
            depth = self._extractors["midas"].extract(image[None], ["depth"])["depth"]
            values = depth[0, 0].numpy()[inside]
            maps.append((values - values.mean()) / values.std())
        return float(np.sqrt(np.square(maps[0] - maps[1]).mean()))


def at_style_distance(runs: Sequence[Figures], distance: float) -> Figures:
    """Between runs of rising style distance, the figures where it is as given."""
    runs = sorted(runs, key=lambda run: run.style)
    where = np.log([run.style for run in runs])

    def between(name: str) -> float:
        return float(np.interp(np.log(distance), where, [getattr(run, name) for run in runs]))

    depth = None if runs[0].depth is None else between("depth")
    return Figures(distance, between("edges"), between("ssim"), depth, between("seconds"))


def paint(folder: Path) -> list[Path]:
    """The paintings of the script."""
    paths = []
    for name, strokes, seed in PAINTINGS:
        paths.append(folder / f"{name}.png")
        arguments = ["--palette", name, "--strokes", str(strokes), "--seed", str(seed)]
        subprocess.run([sys.executable, PAINTER, paths[-1], *arguments], check=True)
    return paths


def table(rows: dict[str, list[Figures]]) -> None:
    print("| terms | style distance | edges kept | SSIM | depth error | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, runs in rows.items():
        if not runs:
            print(f"| {name} | not measured here | | | | |")
            continue
        style, edges, ssim, seconds = (
            fmean(getattr(run, key) for run in runs)
            for key in ("style", "edges", "ssim", "seconds")
        )
        depths = [run.depth for run in runs if run.depth is not None]
        depth = f"{fmean(depths):.3f}" if depths else "not measured here"
        print(f"| {name} | {style:.4f} | {edges:.3f} | {ssim:.3f} | {depth} | {seconds:.1f} |")


def strip(pair: Pair, results: Sequence[Tensor], height: int = 200) -> Image.Image:
    """The photo's crop, the style and the results, side by side."""
    content = crop(pair.photo, crop_box(pair.mask, 0.1))
    images = []
    for picture in (content, pair.style, *results):
        size = (height, round(picture.shape[2] * height / picture.shape[1]))
        samples = (resize(picture, size) * 255).round().byte().permute(1, 2, 0).numpy()
        images.append(Image.fromarray(samples))
    images[1] = images[1].crop((0, 0, height, height))
    row = Image.new("RGB", (sum(image.width + 4 for image in images), height + 4), "white")
    x = 0
    for image in images:
        row.paste(image, (x, 0))
        x += image.width + 4
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--paintings", type=Path, action="append", default=[])
    parser.add_argument("--depth", help="name or folder of a depth model")
    parser.add_argument("--preset", choices=STYLE_TERMS, default="default")
    parser.add_argument("--laplacian", type=float, help="its weight, if not that of the preset")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--picture", type=Path, help="write photo, style and results of four pairs")
    options = parser.parse_args()

    rows: dict[str, list[Figures]] = {name: [] for name in ROWS}
    strips: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        styles = paint(folder)
        for more in options.paintings:
            styles += sorted(p for p in more.iterdir() if p.suffix.lower() in (".jpg", ".png"))
        bench = Bench(folder, options)
        for pair in pairs(open_voc(options.data, "val"), styles, options.photos):
            plain = [bench.run(pair, bench.plan(less)) for less in LESS_STYLE]
            steered, picture = bench.run(pair, bench.plan(laplacian=True))
            equal = at_style_distance([figures for figures, _ in plain], steered.style)
            pictures = [plain[0][1], picture]
            measured = [plain[0][0], equal, steered]
            for laplacian in (False, True) if options.depth else ():
                figures, picture = bench.run(pair, bench.plan(laplacian=laplacian, depth=True))
                measured.append(figures)
                pictures.append(picture)
            for row, figures in zip(rows.values(), measured, strict=False):
                row.append(figures)
            if len(strips) < 4:
                strips.append(strip(pair, pictures))
            gain = steered.edges - equal.edges
            print(f"{pair.name}: edges kept {equal.edges:.3f} {gain:+.3f}", file=sys.stderr)

    gains = [a.edges - b.edges for a, b in zip(*list(rows.values())[2:0:-1], strict=True)]
    print(f"{len(gains)} pairs\n")
    table(rows)
    better = fmean(gain > 0 for gain in gains)
    print(
        f"\nWith the laplacian, at equal style distance: edges kept {fmean(gains):+.3f}, ", end=""
    )
    print(f"more in {better:.0%} of the pairs")
    if options.picture:
        sheet = Image.new(
            "RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white"
        )
        for number, row in enumerate(strips):
            sheet.paste(row, (0, sum(s.height for s in strips[:number])))
        sheet.save(options.picture, quality=88)


if __name__ == "__main__":
    main()
