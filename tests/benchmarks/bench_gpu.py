"""Steps a second on a GPU, against the bare pass through the network.

    python tests/benchmarks/bench_gpu.py [--sizes 512,1024,2048] [--steps 40]

Content, style and laplacian with their defaults, at one size, on a whole square picture; in float32
with and without TensorFloat-32, and in bfloat16; each with the step recorded as a CUDA graph and
without. The bare pass is that of bench_step.py, of torch's own layers. Medians.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from statistics import median

import torch
from bench_step import LOSSES, plain_maps
from whole_picture import crop_for, plan_for

from instyle_core import testing
from instyle_core.config.plan import Plan
from instyle_core.optimization import scale as scale_run
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

CUDA = torch.device("cuda")


def bare_seconds(network: VGG19, size: int, precision: torch.dtype, rounds: int) -> float:
    pixels = testing.picture(size, size)[None].to(CUDA).requires_grad_()
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        began = time.perf_counter()
        batch = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", precision, enabled=precision != torch.float32):
            maps = plain_maps(network, batch)
        torch.autograd.grad(maps, pixels, [torch.ones_like(m) for m in maps])
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return median(times[rounds // 4 :])


def step_seconds(plan: Plan, network: VGG19, size: int, precision: torch.dtype) -> float:
    times = [time.perf_counter()]

    def watch(progress: Progress) -> None:
        times.append(time.perf_counter())

    crop = crop_for(testing.picture(size, size), testing.picture(size, size, seed=2))
    assert plan.whole
    stylize(crop, plan.whole, plan.spec, Networks({"vgg19": network}, CUDA, precision), watch)
    steps = [after - before for before, after in pairwise(times)]
    return median(steps[len(steps) // 4 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="512,1024,2048")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("there is no GPU here that torch can use")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print("| size | precision | recorded | steps a second | step / bare pass | peak memory |")
    print("| --- | --- | --- | --- | --- | --- |")
    network = VGG19(VGG19Params()).to(CUDA)
    kinds = [("float32", torch.float32, "highest"), ("tf32", torch.float32, "high")]
    kinds += [("bfloat16", torch.bfloat16, "highest")]
    record = scale_run.record
    for size in map(int, options.sizes.split(",")):
        plan = plan_for(size, {"steps": options.steps, "scales": 1}, losses=LOSSES)
        for kind, precision, matmul in kinds:
            torch.set_float32_matmul_precision(matmul)
            torch.backends.cudnn.allow_tf32 = matmul == "high"
            bare = bare_seconds(network, size, precision, options.steps)
            for recorded in (True, False):
                scale_run.record = record if recorded else lambda compute: None
                torch.cuda.reset_peak_memory_stats()
                step = step_seconds(plan, network, size, precision)
                memory = torch.cuda.max_memory_allocated() / 2**30
                row = [size, kind, "yes" if recorded else "no", f"{1 / step:.1f}"]
                row += [f"{step / bare:.2f}", f"{memory:.2f} GB"]
                print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
