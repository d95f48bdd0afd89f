"""How well refiners find the alpha of soft edges, on pictures whose alpha is known.

    python tests/benchmarks/bench_matting.py [--refine YAML]... [--seeds N] [--side PIXELS]
        [--pictures FOLDER]

Each kind of edge is drawn with the seeds 0 to N - 1 (see composites.py). Of alpha: the sum of
absolute differences in thousands of pixels (SAD), and the mean square (MSE) in thousandths. Of the
object, by this alpha and its colors without the background's, before another background: the mean
square of the difference from the truth in thousandths ("moved"). `none` is the segmenter's
decision, and `probability` is what that was made from. Seconds are a processor's, not a clock's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from rich.console import Console
from rich.table import Table

from instyle_core import Mask
from instyle_core.config.resolve import resolve
from instyle_core.painting.layers import layers_of
from instyle_core.plugin.registry import Registry
from tests.benchmarks.composites import KINDS, Composite, composite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refine", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--side", type=int, default=300)
    parser.add_argument("--pictures", type=Path, help="where to write what was found")
    options = parser.parse_args()

    context = {"registry": Registry.installed(), "folder": Path(), "extractors": {}}
    methods = {"none": None, "probability": None}
    for written in options.refine or ["guided", "grabcut", "matting"]:
        methods[written] = resolve("refiner", yaml.safe_load(written), context).create()

    scores = defaultdict(list)
    seconds = defaultdict(list)
    for kind in KINDS:
        for seed in range(options.seeds):
            scene = composite(kind, seed, options.side)
            photo = torch.from_numpy(scene.photo).permute(2, 0, 1).contiguous()
            probability = torch.from_numpy(scene.probability)[None]
            decision = (probability >= 0.5).float()
            row = [scene.photo, *map(gray, (scene.alpha, scene.probability))]
            for method, refiner in methods.items():
                began = time.process_time()
                found = decision if method == "none" else probability
                if refiner is not None:
                    found = refiner.refine(photo, Mask(probability, decision)).probability
                seconds[method].append(time.process_time() - began)
                scores[method, kind].append(score(scene, photo, found))
                row.append(gray(found[0].numpy()))
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                picture = (np.hstack(row)[..., ::-1] * 255).round().astype(np.uint8)
                cv2.imwrite(str(options.pictures / f"{kind}-{seed}.png"), picture)

    table = Table("refiner", *KINDS, "mean", "s", title="SAD / MSE / moved")
    for method in methods:
        means = [np.mean(scores[method, kind], axis=0) for kind in KINDS]
        cells = [" / ".join(f"{value:.2f}" for value in each) for each in means]
        cells.append(" / ".join(f"{value:.2f}" for value in np.mean(means, axis=0)))
        table.add_row(method, *cells, f"{statistics.median(seconds[method]):.2f}")
    Console(width=160).print(table)


def score(scene: Composite, photo: torch.Tensor, found: torch.Tensor) -> tuple[float, float, float]:
    alpha = found[0].numpy()
    wrong = alpha - scene.alpha
    own = layers_of(photo, found)[0].permute(1, 2, 0).numpy()
    moved, truth = (
        share[..., None] * color + (1 - share[..., None]) * scene.other
        for share, color in ((alpha, own), (scene.alpha, scene.foreground))
    )
    return (
        float(np.abs(wrong).sum() / 1e3),
        float(1e3 * np.square(wrong).mean()),
        float(1e3 * np.square(moved - truth).mean()),
    )


def gray(layer: np.ndarray) -> np.ndarray:
    return np.repeat(layer[..., None], 3, axis=2)


if __name__ == "__main__":
    main()
