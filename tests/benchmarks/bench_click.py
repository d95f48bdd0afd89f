"""Clicks in the middle of the largest error, for segmenters that take points.

    python tests/benchmarks/bench_click.py DATA [--use click --use grabcut ...] [--photos 60]

DATA holds VOCdevkit/VOC2012. The protocol is that of `instyle click evaluate`; the table has the
mean IoU after 1, 2, 3 and 5 clicks, and the median time of a click. Where a segmenter
refuses, the mask before stays.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from instyle_click.clicks import Clicks
from instyle_click.commands.evaluate import selected
from instyle_click.evaluation import TOLD, Method, evaluate, groups
from instyle_core import InputError, Prompt
from instyle_core.cli.selection import use_of
from instyle_training.progress import counted
from instyle_training.voc import open_voc

RIVALS = ("click", "grabcut", "region", "snake")


def method(written: str) -> Method:
    """A segmenter, named as in a spec, that is given points."""
    segmenter = use_of("segmenter", written, option="--use").create()
    before: dict[str, Tensor] = {}

    def segment(photo: Tensor, clicks: Clicks) -> Tensor:
        if len(clicks.on) + len(clicks.off) == 1:
            before["mask"] = torch.zeros(photo.shape[1:])
        try:
            prompt = Prompt(points=clicks.on, not_points=clicks.off)
            before["mask"] = segmenter.segment(photo, prompt).probabilities[1]
        except InputError:
            pass
        return before["mask"]

    return segment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--use", action="append", help="a segmenter; the rivals when left out")
    parser.add_argument("--photos", type=int, help="so many, evenly chosen; all when left out")
    parser.add_argument("--clicks", type=int, default=5)
    options = parser.parse_args()
    photos = selected(open_voc(options.data, "val"), set(), options.photos)
    print(f"| {len(photos)} photos | objects |", *(f"IoU@{n} |" for n in TOLD), "time |")
    print("| --- | --- |" + " --- |" * (len(TOLD) + 1))
    for written in options.use or RIVALS:
        with counted(written, len(photos)) as on_photo:
            results = evaluate(method(written), photos, on_photo, most=options.clicks)
        for kind, told in groups(results, options.clicks).items():
            if kind == "classes" or not told["objects"]:
                continue
            ious = (f"{told['iou'][str(n)]:.3f} |" for n in TOLD if n <= options.clicks)
            seconds = f"{told['seconds']:.2f} s |"
            print(f"| `{written}`, {kind} | {told['objects']} |", *ious, seconds, flush=True)


if __name__ == "__main__":
    main()
