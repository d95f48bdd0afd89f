"""How long each merger takes, for a round object of half the picture's width.

    python tests/benchmarks/bench_mrf.py [--size 1024]

Photo and painting are smooth blobs with noise on them. Medians of five, in seconds, of `merge`;
where other work runs beside it, the processor time tells more than the wall time.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from instyle_core import Mask, Merger, testing
from instyle_mergers.feather import FeatherMerger
from instyle_mergers.hard import HardMerger
from instyle_mergers.mrf import MRFMerger
from instyle_mergers.multiband import MultibandMerger
from instyle_mergers.params import FeatherParams, HardParams, MRFParams, MultibandParams

MERGERS: dict[str, Merger] = {
    "hard": HardMerger(HardParams()),
    "feather": FeatherMerger(FeatherParams()),
    "multiband": MultibandMerger(MultibandParams()),
    "mrf": MRFMerger(MRFParams()),
}


def seconds(merger: Merger, mask: Mask) -> tuple[float, float]:
    """Medians of wall time and of processor time, of five runs after one to warm up."""
    generator = torch.Generator().manual_seed(0)
    size = mask.decision.shape[1]
    content, painting = (
        (
            testing.picture(size, size, seed=seed)
            + 0.1 * torch.randn(3, size, size, generator=generator)
        ).clamp(0, 1)
        for seed in (1, 2)
    )
    stylized = torch.where(merger.paints(mask) > 0, painting, content)
    walls, processors = [], []
    for _ in range(6):
        wall, processor = time.perf_counter(), time.process_time()
        merger.merge(content, stylized, mask)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return statistics.median(walls[1:]), statistics.median(processors[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    size = parser.parse_args().size
    mask = testing.disc(size, size, radius=0.25)
    print(f"| {size}x{size} pixels | wall time | processor time |\n| --- | --- | --- |")
    for name, merger in MERGERS.items():
        wall, processor = seconds(merger, mask)
        print(f"| `{name}` | {wall:.3f} s | {processor:.3f} s |")


if __name__ == "__main__":
    main()
