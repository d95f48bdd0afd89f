"""What refiners do to the masks of fcn8s: boundary F-score, IoU and time.

    python tests/benchmarks/bench_refine.py DATA [--refine YAML]... [--weights FILE] [--every N]

DATA is the folder that holds VOCdevkit/VOC2012. Each class that is in a photo, or was found there,
is one object; its mask goes through each refiner. IoU is of one count of pixels over all photos;
the mean over classes. Milliseconds are medians, per object.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import yaml
from rich.console import Console
from rich.table import Table

from instyle_core import Prompt
from instyle_core.config.resolve import resolve
from instyle_core.objects.candidates import class_mask
from instyle_core.plugin.registry import Registry
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.segmenter import FCN8s
from instyle_training.boundary import boundary_scores
from instyle_training.voc import IGNORED, open_voc, renumbering


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--refine", action="append", default=[])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many-th photo")
    options = parser.parse_args()

    context = {"registry": Registry.installed(), "folder": Path(), "extractors": {}}
    methods = {"none": None}
    for written in options.refine or ["guided", "grabcut"]:
        methods[written] = resolve("refiner", yaml.safe_load(written), context).create()

    segmenter = FCN8s(FCN8sParams(weights=options.weights))
    photos = open_voc(options.data, "val")
    counts: dict[str, dict[str, np.ndarray]] = {
        m: defaultdict(lambda: np.zeros(2)) for m in methods
    }
    scores: dict[str, dict[str, list[float]]] = {m: defaultdict(list) for m in methods}
    seconds: dict[str, list[float]] = {m: [] for m in methods}
    for index in range(0, len(photos), options.every):
        photo, labels = photos[index]
        image = photo.float() / 255
        seen = segmenter.segment(image, Prompt())
        winner = seen.probabilities.argmax(dim=0, keepdim=True)
        truth = renumbering(seen.classes)[labels.long()]
        there = {*truth.unique().tolist(), *winner.unique().tolist()} - {0, IGNORED}
        for number in there:
            name = seen.classes[number]
            mask = class_mask(seen.probabilities, number)
            right = torch.where(truth == IGNORED, IGNORED, (truth == number).int())
            for method, refiner in methods.items():
                began = time.perf_counter()
                found = mask.decision
                if refiner is not None and found.any():
                    found = refiner.refine(image, mask).decision
                seconds[method].append(time.perf_counter() - began)
                inside, known = found[0] > 0, truth != IGNORED
                counts[method][name] += (
                    int((inside & (right == 1)).sum()),
                    int(((inside | (right == 1)) & known).sum()),
                )
                score = boundary_scores(
                    right.to(torch.uint8).numpy(), inside.to(torch.uint8).numpy(), IGNORED
                )
                scores[method][name].append(score.get(1, 0.0))

    table = Table("refiner", "mean IoU", "mean boundary F", "ms", *sorted(counts["none"]))
    for method in methods:
        iou = {name: pair[0] / pair[1] for name, pair in counts[method].items()}
        boundary = {name: statistics.fmean(values) for name, values in scores[method].items()}
        table.add_row(
            method,
            f"{statistics.fmean(iou.values()):.4f}",
            f"{statistics.fmean(boundary.values()):.4f}",
            f"{1e3 * statistics.median(seconds[method]):.0f}",
            *(f"{iou[name]:.3f} / {boundary[name]:.3f}" for name in sorted(iou)),
        )
    console = Console(width=160)
    console.print(table)
    console.print("each class: IoU / boundary F")


if __name__ == "__main__":
    main()
