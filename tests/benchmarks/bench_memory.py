"""Peak memory and seconds a step by size, on a processor.

    python tests/benchmarks/bench_memory.py [--sizes 512,1024,2048,4096] [--precision auto]

Each row is a process of its own: two steps at one size, with the default losses, on a whole square
picture in a style of the same size. The memory is the most that the process held (resident), with
Python and torch in it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import torch
from whole_picture import crop_for, plan_for

from instyle_core import testing
from instyle_core.device import choose_precision, choose_tile
from instyle_core.memory import keep_freed_memory
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

CPU = torch.device("cpu")


def measure(size: int, name: str) -> None:
    """Print one row."""
    keep_freed_memory()
    precision = choose_precision(name, CPU)
    tile = choose_tile("auto", CPU, precision)
    plan = plan_for(size, {"steps": 2, "scales": 1})
    crop = crop_for(testing.picture(size, size), testing.picture(size, size, seed=2))
    params = VGG19Params()
    networks = Networks({"vgg19": VGG19(params)}, CPU, precision, {"vgg19": params}, tile)
    times: list[float] = []

    def watch(progress: Progress) -> None:
        times.append(time.perf_counter())

    assert plan.whole
    stylize(crop, plan.whole, plan.spec, networks, watch)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    kind = str(precision).removeprefix("torch.")
    print(f"| {size} | {kind} | {gigabytes:.2f} GB | {times[1] - times[0]:.1f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="512,1024,2048,4096")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--one", type=int, help="measure one size in this process")
    options = parser.parse_args()
    if options.one:
        measure(options.one, options.precision)
        return
    print("| size | precision | peak memory | a step |\n| --- | --- | --- | --- |", flush=True)
    for size in options.sizes.split(","):
        more = ["--one", size, "--precision", options.precision]
        subprocess.run([sys.executable, __file__, *more], check=True)


if __name__ == "__main__":
    main()
