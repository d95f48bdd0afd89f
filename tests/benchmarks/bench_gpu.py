"""Seconds a step takes on a GPU, against the bare pass through the network.

    python tests/benchmarks/bench_gpu.py [--json PATH] [--sizes 512,1024,2048] [--steps 30]

The losses of the preset `default`, at one size, on a whole square picture; in float32
with and without TensorFloat-32, in float16 and in bfloat16; each with the step captured as a
CUDA graph and without. The bare pass is that of bench_step.py, of torch's own layers. Medians.

A table goes to standard output, and with --json all figures to a file. --device cpu tries it on a
processor, where nothing is captured.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from bench_step import layers_of, plain_maps
from torch import Tensor
from whole_picture import crop_for, plan_for

from instyle_core import testing
from instyle_core.config.plan import Plan
from instyle_core.device import choose_device, describe_machine
from instyle_core.optimization import scale as scale_run
from instyle_core.optimization.cuda_graph import capture
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

#: Name, type of the networks, and whether float32 may be TensorFloat-32.
PRECISIONS = [
    ("float32", torch.float32, False),
    ("tf32", torch.float32, True),
    ("float16", torch.float16, False),
    ("bfloat16", torch.bfloat16, False),
]


@dataclass(frozen=True)
class Row:
    """One line of the table; seconds are medians, memory is the peak of what torch allocated."""

    size: int
    precision: str
    captured: bool
    seconds_a_step: float
    seconds_bare: float
    peak_bytes: int

    def line(self) -> str:
        cells = [self.size, self.precision, "yes" if self.captured else "no"]
        cells += [f"{1000 * self.seconds_a_step:.2f} ms", f"{1000 * self.seconds_bare:.2f} ms"]
        cells += [
            f"{self.seconds_a_step / self.seconds_bare:.2f}",
            f"{self.peak_bytes / 1e9:.2f} GB",
        ]
        return f"| {' | '.join(map(str, cells))} |"


def bare_seconds(
    plan: Plan, network: VGG19, size: int, precision: torch.dtype, rounds: int
) -> float:
    layers = layers_of(plan)
    device = network.mean.device
    pixels = testing.picture(size, size)[None].to(device).requires_grad_()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        batch = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            maps = plain_maps(network, batch, layers)
        (slope,) = torch.autograd.grad(maps, pixels, [torch.ones_like(m) for m in maps])
        slope.sum().item()  # which waits for all of it
        times.append(time.perf_counter() - began)
    return median(times[rounds // 4 :])


def step_seconds(plan: Plan, network: VGG19, size: int, precision: torch.dtype) -> float:
    times = [time.perf_counter()]

    def watch(progress: Progress) -> None:
        times.append(time.perf_counter())

    crop = crop_for(testing.picture(size, size), testing.picture(size, size, seed=2))
    assert plan.whole
    networks = Networks(
        {"vgg19": network}, network.mean.device, precision, {"vgg19": VGG19Params()}
    )
    stylize(crop, plan.whole, plan.spec, networks, watch)
    steps = [after - before for before, after in pairwise(times)]
    return median(steps[len(steps) // 4 :])


@contextmanager
def capturing(allowed: bool) -> Iterator[list[bool]]:
    """Let steps be captured or not; gives whether each that was to be captured was."""
    asked: list[bool] = []

    def watched(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
        play = capture(compute) if allowed else None
        asked.append(play is not None)
        return play

    scale_run.capture = watched
    try:
        yield asked
    finally:
        scale_run.capture = capture


def rows(network: VGG19, sizes: list[int], steps: int) -> Iterator[Row]:
    on_gpu = network.mean.device.type == "cuda"
    for size in sizes:
        plan = plan_for(size, {"steps": steps, "scales": 1})
        for name, precision, tf32 in PRECISIONS:
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
            bare = bare_seconds(plan, network, size, precision, steps)
            for allowed in (True, False) if on_gpu else (False,):
                if on_gpu:
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                with capturing(allowed) as asked:
                    seconds = step_seconds(plan, network, size, precision)
                peak = torch.cuda.max_memory_allocated() if on_gpu else 0
                yield Row(size, name, asked == [True], seconds, bare, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", default="512,1024,2048")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device = choose_device(options.device)
    facts = describe_machine(device, torch.float32)
    report = {
        "card": facts["processor"],
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "steps": options.steps,
        "rows": [],
    }
    print(f"{report['card']}, {report['date']}, torch {report['torch']}\n")
    print("| size | precision | captured | a step | a bare pass | ratio | peak memory |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    network = VGG19(VGG19Params()).to(device)
    for row in rows(network, [*map(int, options.sizes.split(","))], options.steps):
        print(row.line(), flush=True)
        report["rows"].append(asdict(row))
        if options.json:  # after each, so that what is done is there if time runs out
            options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
