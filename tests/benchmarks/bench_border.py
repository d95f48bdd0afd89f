"""What the checks of plugins cost: a step with guards against the same step without them.

    python tests/benchmarks/bench_border.py [--sizes 128,256,512] [--steps 402]

A step is content, style and laplacian with their defaults, at one size, on a whole square picture.
Guards are switched off and on again with every step of one run, so that both kinds of steps have
the same machine; the first two, in which guards look at numbers, are left out. What is measured is
the processor's time on one thread, which other work on the machine hardly changes. Each step with
guards is divided by the next one without: the median of these ratios, with its 95% interval.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from whole_picture import crop_for, plan_for

from instyle_core import FeatureExtractor, Loss, Targets, View, testing
from instyle_core.config.plan import Plan
from instyle_core.device import choose_precision
from instyle_core.memory import keep_freed_memory
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.networks import load_networks
from instyle_core.painting.stylize import stylize
from instyle_core.plugin import border, use

CPU = torch.device("cpu")
LOSSES = [
    {"use": "content", "weight": 1},
    {"use": "style", "weight": 10},
    {"use": "laplacian", "weight": 1},
]


class Switch:
    """What a plugin made: behind its guard or not, as it is switched."""

    on = True

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    @property
    def now(self) -> Any:
        return self._guard if Switch.on else self._guard.thing


class SwitchedLoss(Switch, Loss):
    def prepare(self, targets: Targets) -> None:
        self.now.prepare(targets)

    def __call__(self, view: View) -> Tensor:
        return self.now(view)


class SwitchedExtractor(Switch, FeatureExtractor):
    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        return self.now.extract(images, layers)

    def to(self, device: torch.device, dtype: torch.dtype) -> FeatureExtractor:
        return self.now.to(device, dtype)


def switched(used: use.Use, thing: Any) -> Any:
    kind = {"loss": SwitchedLoss, "extractor": SwitchedExtractor}[used.plugin.kind]
    return kind(border.guard(used, thing))


def compare(plan: Plan, image: Tensor, precision: torch.dtype) -> tuple[list[float], list[float]]:
    """Seconds of each step with guards, and of each step without."""
    times: dict[bool, list[float]] = {True: [], False: []}
    last = time.process_time()

    def watch(progress: Progress) -> None:
        nonlocal last
        times[Switch.on].append(time.process_time() - last)
        Switch.on = not Switch.on
        last = time.process_time()

    Switch.on = True
    crop = crop_for(image, testing.picture(*image.shape[1:], seed=2))
    assert plan.whole
    stylize(crop, plan.whole, plan.spec, load_networks(plan, CPU, precision), watch)
    return times[True][1:], times[False][1:]


def median_of(values: Iterable[float]) -> tuple[float, float, float]:
    """The median, with its 95% interval: the values whose ranks are 1.96 deviations away."""
    ordered = sorted(values)
    middle, away = len(ordered) / 2, 0.98 * math.sqrt(len(ordered))
    return (
        median(ordered),
        ordered[int(middle - away)],
        ordered[min(len(ordered) - 1, int(middle + away))],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="128,256,512")
    parser.add_argument("--steps", type=int, default=402)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    use.guard = switched
    precisions = dict.fromkeys([choose_precision("auto", CPU), torch.float32])
    print("| size | precision | with guards | without | ratio | 95% |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in map(int, options.sizes.split(",")):
        image = testing.picture(size, size)
        plan = plan_for(size, {"steps": options.steps, "scales": 1}, losses=LOSSES)
        for precision in precisions:
            guarded, bare = compare(plan, image, precision)
            ratio, low, high = median_of(a / b for a, b in zip(guarded, bare, strict=False))
            kind = str(precision).removeprefix("torch.")
            row = [size, kind, f"{median(guarded) * 1e3:.2f} ms", f"{median(bare) * 1e3:.2f} ms"]
            row += [f"{ratio:.4f}", f"{low:.4f} to {high:.4f}"]
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
