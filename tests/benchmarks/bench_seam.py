"""How far the seam shows, by merger, on real photos.

    python tests/benchmarks/bench_seam.py --data FOLDER [--photos 20] [--skip 0]
        [--masks true|fcn8s] [--cache FOLDER] [--look FOLDER]

FOLDER holds VOCdevkit/VOC2012. From its val photos some are drawn, and the largest animal or person
of each is repainted, quickly and small, in one of three styles; every merger then sets the same
painting into the same photo. The painting covers what any of the mergers asks for, and each is
given no more of it than it asked for. The masks are the true ones, or those of `fcn8s` as a run has
them; photos in which `fcn8s` finds nothing of the class are passed over.

A photo takes half a minute on one core; paintings that are found in the cache are not made again.
The first 20 are those that the defaults of `mrf` were chosen by: --skip 25 takes others. With
--look, crops of the merged pictures are written, one PNG a photo: the photo, then each merger.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
import scipy.ndimage
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

import instyle_core
from instyle_core import InputError, Mask, Merger
from instyle_core.config.plan import Plan, load_plan
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.objects.select import refine, select_object
from instyle_core.painting.crop import Crop, put_back
from instyle_core.painting.networks import load_networks
from instyle_core.painting.seam import jump_across, measure_seam
from instyle_core.painting.stylize import stylize
from instyle_mergers.feather import FeatherMerger, signed_distance
from instyle_mergers.hard import HardMerger
from instyle_mergers.mrf import MRFMerger
from instyle_mergers.multiband import MultibandMerger
from instyle_mergers.params import FeatherParams, HardParams, MRFParams, MultibandParams
from instyle_training.voc import CLASSES, IGNORED, Photos, open_voc

NAMES = ("cat", "cow", "dog", "horse", "person", "sheep")

MERGERS: Mapping[str, Merger] = {
    "hard": HardMerger(HardParams()),
    "feather": FeatherMerger(FeatherParams(width=4)),
    "multiband": MultibandMerger(MultibandParams()),
    "mrf": MRFMerger(MRFParams()),
}

SPEC = """
version: 1
content: photo.png
output: out.png
size: 224
objects: [{{select: {{class: {name}}}}}]
style: {style}
optimizer: {{steps: 40, learning_rate: 0.03}}
"""


@dataclass(frozen=True)
class Case:
    """A photo with the object that is to be repainted.

    Attributes:
        name: the photo's.
        photo: (3, H, W).
        mask: of the object.
        plan: how it is repainted.
    """

    name: str
    photo: Tensor
    mask: Mask
    plan: Plan


def cases(photos: Photos, masks: str, folder: Path, seed: int = 0) -> Iterator[Case]:
    """Photos in an order that the seed fixes, with objects of 3% to 50% of the picture."""
    styles = write_styles(folder)
    order = list(range(len(photos)))
    random.Random(seed).shuffle(order)
    for index in order:
        pixels, labels = photos[index]
        photo = pixels.float() / 255
        name, truth = largest_object(labels.numpy())
        if not 0.03 < truth.mean() < 0.5:
            continue
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(folder / "photo.png")
        spec = folder / "spec.yaml"
        spec.write_text(SPEC.format(name=name, style=styles[index % len(styles)]), encoding="utf-8")
        plan = load_plan(spec)
        decision = torch.from_numpy(truth)[None].float()
        mask = Mask(decision, decision)
        if masks == "fcn8s":
            try:
                mask = found_object(photo, plan)
            except InputError:
                continue
        yield Case(photos.names[index], photo, mask, plan)


def largest_object(labels: np.ndarray) -> tuple[str, np.ndarray]:
    """The name and the pixels, bool (H, W), of the largest component of the classes `NAMES`.

    Unlabeled pixels, which are a rim around each object, go to the nearest label.
    """
    nearest = scipy.ndimage.distance_transform_edt(
        labels == IGNORED, return_distances=False, return_indices=True
    )
    labels = labels[tuple(nearest)]
    best = "", np.zeros(labels.shape, bool)
    for name in NAMES:
        components, count = scipy.ndimage.label(labels == CLASSES.index(name))
        if count:
            inside = components == 1 + np.bincount(components.ravel())[1:].argmax()
            best = max(best, (name, inside), key=lambda found: int(found[1].sum()))
    return best


def found_object(photo: Tensor, plan: Plan) -> Mask:
    """The mask that a run would have."""
    (item,) = plan.objects
    prompt = item.select.prompt
    mask = select_object(item.segmenter.create().segment(photo, prompt), item.select)
    return refine(mask, photo, item.segmenter)


def write_styles(folder: Path) -> list[str]:
    """Three styles: calm colors on a canvas, patches of strong colors, and stripes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:384, :384] / 384
    seeds, colors = rng.random((60, 2)), rng.integers(0, 256, (60, 3))
    distances = (y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2
    patches = colors[distances.argmin(axis=-1)].astype(np.uint8)
    wave = np.sin(60 * (x + 0.1 * np.sin(9 * y)))[..., None] > 0
    stripes = np.where(wave, (250, 60, 30), (20, 40, 160)).astype(np.uint8)
    Image.fromarray(patches).save(folder / "patches.png")
    Image.fromarray(stripes).save(folder / "stripes.png")
    swirls = Path(instyle_core.__file__).with_name("demo") / "swirls.jpg"
    return [str(swirls), "patches.png", "stripes.png"]


def painting_of(case: Case, paints: Tensor, cache: Path | None) -> Tensor:
    """The photo with at least the pixels of `paints` stylized; kept where there is a cache."""
    path = cache / f"{case.name}.safetensors" if cache else None
    if path and path.is_file():
        kept = load_file(path)
        if torch.equal(kept["mask"], case.mask.decision) and torch.equal(kept["paints"], paints):
            return kept["stylized"]
    stylized = repaint(case, paints)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"mask": case.mask.decision, "paints": paints, "stylized": stylized}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return stylized


def repaint(case: Case, paints: Tensor) -> Tensor:
    """The photo with the pixels of `paints` stylized."""
    plan = case.plan
    (item,) = plan.objects
    box = crop_box(paints, plan.spec.margin)
    style = Image.open(item.style.images[0]).convert("RGB")
    part = Crop(
        content=crop(case.photo, box),
        paints=crop(paints, box),
        mask=crop(case.mask.decision, box),
        styles=[torch.from_numpy(np.array(style)).permute(2, 0, 1) / 255],
    )
    torch.manual_seed(0)
    networks = load_networks(plan, torch.device("cpu"), torch.float32)
    outcome = stylize(part, item, plan.spec, networks, lambda progress: None)
    assert outcome.picture is not None
    x0, y0, x1, y1 = box
    result = case.photo.clone()
    result[:, y0:y1, x0:x1] = put_back(part, outcome.picture)
    return result


def figures(case: Case, merger: Merger, painting: Tensor) -> tuple[float, float, float, Tensor]:
    """The jump at the seam, that at the mask's boundary and the halo; and the merged picture."""
    stylized = torch.where(merger.paints(case.mask) > 0, painting, case.photo)
    merged = merger.merge(case.photo, stylized, case.mask)
    seam = measure_seam(case.photo, stylized, merged, case.mask)
    at_mask = jump_across(case.photo, merged, case.mask.decision)
    return seam.jump, at_mask, seam.halo, merged


def look(case: Case, pictures: Sequence[Tensor], path: Path) -> None:
    """Write crops at three places of the boundary, enlarged three times, one row for each."""
    size = 32
    near = signed_distance(case.mask.decision)[0].abs() < 1
    near[:size], near[-size:], near[:, :size], near[:, -size:] = (False,) * 4
    places = torch.nonzero(near).tolist()
    rows = []
    for y, x in random.Random(0).sample(places, min(3, len(places))):
        crops = [p[:, y - size : y + size, x - size : x + size] for p in pictures]
        rows.append(torch.cat([F.pad(crop, (0, 2, 0, 2), value=1.0) for crop in crops], dim=2))
    if rows:
        sheet = (torch.cat(rows, dim=1) * 255).round().byte().permute(1, 2, 0).numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet.repeat(3, axis=0).repeat(3, axis=1)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--skip", type=int, default=0, help="photos to pass over at the beginning")
    parser.add_argument("--masks", choices=("true", "fcn8s"), default="true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--look", type=Path)
    options = parser.parse_args()

    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in MERGERS}
    with tempfile.TemporaryDirectory() as folder:
        found = cases(open_voc(options.data, "val"), options.masks, Path(folder))
        for case in itertools.islice(found, options.skip, options.skip + options.photos):
            every = [merger.paints(case.mask) for merger in MERGERS.values()]
            cache = options.cache / options.masks if options.cache else None
            painting = painting_of(case, torch.stack(every).amax(dim=0), cache)
            pictures = [case.photo]
            for name, merger in MERGERS.items():
                *numbers, merged = figures(case, merger, painting)
                rows[name].append(tuple(numbers))
                pictures.append(merged)
            if options.look:
                look(case, pictures, options.look / f"{options.masks}-{case.name}.png")
            print(case.name, *(f"{rows[name][-1][0]:.1f}" for name in MERGERS), file=sys.stderr)

    print(f"{len(rows['mrf'])} photos, masks: {options.masks}; levels of 255\n")
    print("| merger | jump at the seam: median, mean | at the mask: median, mean | halo: median |")
    print("| --- | --- | --- | --- |")
    for name, values in rows.items():
        seam, mask, halo = zip(*values, strict=True)
        at_seam, at_mask = (f"{median(part):.1f}, {fmean(part):.1f}" for part in (seam, mask))
        print(f"| `{name}` | {at_seam} | {at_mask} | {median(halo):.1f} |")
    print("\n| `mrf` is lower than | at the seam | at the mask |\n| --- | --- | --- |")
    for name in MERGERS:
        if name != "mrf":
            both = list(zip(rows["mrf"], rows[name], strict=True))
            wins = [fmean(mine[which] < other[which] for mine, other in both) for which in (0, 1)]
            print(f"| `{name}` | {wins[0]:.0%} of photos | {wins[1]:.0%} |")


if __name__ == "__main__":
    main()
