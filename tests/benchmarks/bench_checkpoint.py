"""What checkpoints cost: the share of a run's time at one a minute.

    python tests/benchmarks/bench_checkpoint.py [--sizes 512,1024] [--steps 12] [--preset default]

A run of the preset on a whole square picture, with a checkpoint after each step. The cost of one is
its median over the steps, from the second on; the share is that to a minute.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml
from PIL import Image

from instyle_core.config.plan import PRESETS, load_plan, preset_text
from instyle_core.pipeline import CHECKPOINT_S, run
from instyle_core.runs.folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="512,1024")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    options = parser.parse_args()
    print("| size | state | a checkpoint | of a minute |\n| --- | --- | --- | --- |")
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as name:
            seconds, megabytes = measure(Path(name), size, options.steps, options.preset)
        share = seconds / CHECKPOINT_S
        print(f"| {size} | {megabytes:.0f} MB | {seconds:.3f} s | {share:.2%} |", flush=True)


def measure(folder: Path, size: int, steps: int, preset: str) -> tuple[float, float]:
    """Seconds of a checkpoint, and the megabytes of its state."""
    pixels = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8).numpy()
    Image.fromarray(pixels).save(folder / "picture.png")
    spec: dict[str, Any] = yaml.safe_load(preset_text(preset))
    spec.pop("objects", None)
    files = {"content": "picture.png", "style": "picture.png", "output": "out.png"}
    optimizer = {**spec["optimizer"], "steps": steps, "scales": 1}
    spec |= {**files, "size": size, "optimizer": optimizer}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))

    taken: list[float] = []
    bytes_: list[int] = []
    original = RunFolder.checkpoint

    def checkpoint(self: RunFolder, state: Any) -> str:
        began = time.perf_counter()
        message = original(self, state)
        taken.append(time.perf_counter() - began)
        bytes_.extend(path.stat().st_size for path in folder.glob(".instyle-*/state-*.pt"))
        return message

    RunFolder.checkpoint = checkpoint  # type: ignore[method-assign]
    try:
        run(load_plan(folder / "spec.yaml"), checkpoint=0)
    finally:
        RunFolder.checkpoint = original  # type: ignore[method-assign]
    return median(taken[1:]), max(bytes_) / 1e6


if __name__ == "__main__":
    main()
