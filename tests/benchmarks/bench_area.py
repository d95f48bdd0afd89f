"""What an object costs by its share of the photo.

    python tests/benchmarks/bench_area.py [--size 1024] [--steps 200] [--rounds 1]
                                          [--shares 6,12,25,50,100]

A square object in the middle of a square photo, with all of the photo for the last one; the default
losses, optimizer and scales, at the photo's own resolution. What is timed is the optimization, the
targets of every size included, and the merging. In turns, so that a drifting machine hits all
alike.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

from instyle_core import testing
from instyle_core.config.plan import load_plan
from instyle_core.images.masks import write_mask
from instyle_core.images.picture import write_picture
from instyle_core.pipeline import run


def spec_of(folder: Path, size: int, steps: int, share: int) -> Path:
    side = round(size * (share / 100) ** 0.5)
    first = (size - side) // 2
    mask = torch.zeros(1, size, size)
    mask[:, first : first + side, first : first + side] = 1
    write_mask(folder / f"mask-{share}.png", mask)
    spec: dict[str, Any] = {
        "version": 1,
        "content": "photo.png",
        "style": "style.png",
        "output": f"out-{share}.png",
        "size": size,
        "optimizer": {"use": "adam", "steps": steps},
        "objects": [{"segmenter": {"use": "mask", "path": f"mask-{share}.png"}}],
    }
    path = folder / f"spec-{share}.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


def seconds(path: Path) -> float:
    result = run(load_plan(path))
    record = json.loads((result.folder / "run.json").read_text(encoding="utf-8"))
    return float(record["seconds"]["stylize"] + record["seconds"]["merge"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--shares", default="6,12,25,50,100")
    options = parser.parse_args()
    shares = [int(share) for share in options.shares.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_picture(folder / "photo.png", testing.picture(options.size, options.size, seed=1))
        write_picture(folder / "style.png", testing.picture(options.size, options.size, seed=2))
        specs = [spec_of(folder, options.size, options.steps, share) for share in shares]
        rounds = [[seconds(path) for path in specs] for _ in range(options.rounds)]
    medians = [median(times) for times in zip(*rounds, strict=True)]
    print("| object | seconds | of the largest |\n| --- | --- | --- |")
    for share, took in zip(shares, medians, strict=True):
        print(f"| {share}% | {took:.1f} s | {took / medians[-1]:.3f} |")


if __name__ == "__main__":
    main()
