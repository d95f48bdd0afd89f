"""How long fcn8s takes for a photo of 500x375 pixels, once it is loaded.

    python tests/benchmarks/bench_segment.py [--refine NAME]

Medians of some runs, in seconds of wall time and of processor time, and as ratios to one pass
through the network at the same size.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from instyle_core import Mask, Prompt, fetch, testing
from instyle_core.config.resolve import resolve
from instyle_core.plugin.registry import Registry
from instyle_fcn8s import checkpoint
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.segmenter import FCN8s
from instyle_fcn8s.weights import ANIMALS

ROUNDS = 9


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Medians of wall time and of processor time."""
    walls, processors = [], []
    for _ in range(ROUNDS + 2):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return statistics.median(walls[2:]), statistics.median(processors[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refine", default=FCN8sParams.refiner() or "guided")
    options = parser.parse_args()
    context = {"registry": Registry.installed(), "folder": Path(), "extractors": {}}
    refiner = resolve("refiner", options.refine, context).create()
    photo = testing.picture(375, 500)
    network = checkpoint.load(fetch(ANIMALS))
    soft = testing.disc(375, 500).probability
    rows: dict[str, Callable[[], object]] = {
        "one pass through the network": torch.no_grad()(lambda: network(photo[None])),
        **{name: partial(segmenter.segment, photo, Prompt()) for name, segmenter in FCN8S.items()},
        f"refine: {options.refine}": lambda: refiner.refine(photo, Mask(soft, soft)),
    }
    table = Table("500x375 pixels", "wall s", "processor s", "wall, times one pass")
    times = {name: seconds(run) for name, run in rows.items()}
    (first, _), *_ = times.values()
    for name, (wall, processor) in times.items():
        table.add_row(name, f"{wall:.3f}", f"{processor:.3f}", f"{wall / first:.2f}")
    Console().print(table)


FCN8S = {
    "segment, scales: [1], mirror: false": FCN8s(FCN8sParams(scales=(1,), mirror=False)),
    "segment, scales: [1]": FCN8s(FCN8sParams(scales=(1,))),
    "segment": FCN8s(FCN8sParams()),
}

if __name__ == "__main__":
    main()
