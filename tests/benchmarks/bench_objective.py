"""Wall time to the objective that the plain loop has after 300 Adam steps.

    python tests/benchmarks/bench_objective.py [--size 512] [--plain-steps 300] [--steps 600]
                                               [--content PHOTO --style PAINTING] [--look FOLDER]

The plain loop is what one writes first: one size, float32, pictures with their channels first,
torch's own layers and no memory kept. instyle has its defaults but for the number of steps; then in
float32, at one size, and with the sizes that it had before and no momentum between them. All
minimize content, style, laplacian and tv with the default weights over the whole picture (by
default the demo's), with the same learning rate. One independent function judges all, in float32:
the plain loop's objective; while it judges, the clock stands. With --look, the plain loop's picture
is written, and each of the others as it was when it had reached its objective.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from whole_picture import crop_for, plan_for

from instyle_core.device import choose_precision
from instyle_core.images.picture import read_picture, write_picture
from instyle_core.images.resize import resize
from instyle_core.memory import keep_freed_memory
from instyle_core.optimization import schedule
from instyle_core.optimization.optimize import Progress
from instyle_core.optimization.scale import ScaleRun
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import style_at
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

DEMO = Path(__file__).parents[2] / "instyle_core" / "demo"
CPU = torch.device("cpu")
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT = "relu4_1"
RATE = 0.02
EDGES = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None]


class Seen(NamedTuple):
    """Where an optimization stood."""

    step: int
    seconds: float
    objective: float
    picture: Tensor


class Plain:
    """The objective, term by term as its formulas have it."""

    def __init__(self, network: VGG19, content: Tensor, style: Tensor) -> None:
        self._network = network
        with torch.no_grad():
            self._content = self._maps(content)[CONTENT]
            self._grams = [_gram(self._maps(style)[layer]) for layer in STYLE]
            self._edges = [_edges(content, pool) for pool in (4, 16)]
            self._variation = _variation(content).clamp(min=0.01**2 * _pairs(content))

    def __call__(self, image: Tensor) -> Tensor:
        maps = self._maps(image)
        content = _relative(maps[CONTENT], self._content)
        grams = zip(STYLE, self._grams, strict=True)
        style = sum(_relative(_gram(maps[layer]), gram) for layer, gram in grams) / len(STYLE)
        pools = zip((4, 16), self._edges, strict=True)
        edges = sum(_relative(_edges(image, pool), target, 0.1**2) for pool, target in pools) / 2
        variation = _variation(image) / self._variation
        return content + 10 * style + edges + 0.02 * variation

    def _maps(self, image: Tensor) -> dict[str, Tensor]:
        maps, values = {}, image[None] - self._network.mean
        for name, layer in self._network.layers.named_children():
            values = layer(values)
            if name in STYLE:
                maps[name] = values
            if name == STYLE[-1]:
                break
        return maps


def _relative(values: Tensor, target: Tensor, floor: float = 0.0) -> Tensor:
    return (values - target).square().mean() / target.square().mean().clamp(min=floor)


def _gram(maps: Tensor) -> Tensor:
    cells = maps[0].flatten(1)
    return cells @ cells.T / cells.shape[1]


def _edges(image: Tensor, pool: int) -> Tensor:
    cells = F.avg_pool2d(image[None], pool, ceil_mode=True, count_include_pad=False)
    padded = F.pad(cells.sum(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, EDGES)


def _variation(image: Tensor) -> Tensor:
    return image.diff(dim=1).square().sum() + image.diff(dim=2).square().sum()


def _pairs(image: Tensor) -> int:
    return image.diff(dim=1).numel() + image.diff(dim=2).numel()


def plain_loop(objective: Plain, content: Tensor, steps: int) -> Seen:
    """What it comes to."""
    began = time.perf_counter()
    pixels = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(pixels).backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    seconds = time.perf_counter() - began
    with torch.no_grad():
        return Seen(steps, seconds, float(objective(pixels)), pixels.detach())


def ours(
    network: VGG19,
    content: Tensor,
    style: Tensor,
    precision: torch.dtype,
    steps: int,
    scales: int | str,
    judge: Callable[[Tensor], float],
) -> list[Seen]:
    """Where it stood at every tenth step of the finest size."""
    optimizer = {"steps": steps, "scales": scales, "learning_rate": RATE}
    plan = plan_for(max(content.shape[1:]), optimizer)
    crop = crop_for(content, style)
    seen: list[Seen] = []
    stood = 0.0
    began = time.perf_counter()

    def watch(progress: Progress) -> None:
        nonlocal stood
        stopped = time.perf_counter()
        if progress.size == tuple(content.shape[1:]) and progress.step % 10 == 0:
            picture = progress.picture()
            seconds = stopped - began - stood
            seen.append(Seen(progress.step, seconds, judge(picture), picture))
        stood += time.perf_counter() - stopped

    assert plan.whole
    stylize(
        crop,
        plan.whole,
        plan.spec,
        Networks({"vgg19": network}, CPU, precision, {"vgg19": VGG19Params()}),
        watch,
    )
    return seen


def pictures(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    photo, painting = (read_picture(path).pixels for path in (options.content, options.style))
    factor = options.size / max(photo.shape[1:])
    height, width = (round(side * factor) for side in photo.shape[1:])
    return resize(photo, (height, width)), painting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--plain-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--content", type=Path, default=DEMO / "cat.png")
    parser.add_argument("--style", type=Path, default=DEMO / "swirls.jpg")
    parser.add_argument("--look", type=Path)
    options = parser.parse_args()
    if options.look:
        options.look.mkdir(parents=True, exist_ok=True)
    content, style = pictures(options)
    network = VGG19(VGG19Params())
    painting = style_at(style, (content.shape[1], content.shape[2]), 1.0)
    objective = Plain(network, content, painting)
    plain = plain_loop(objective, content, options.plain_steps)
    print("| | steps | objective | seconds | of the plain loop |\n| --- | --- | --- | --- | --- |")
    show("plain loop", plain, plain)
    look("plain", plain, options.look)
    keep_freed_memory()

    def judge(picture: Tensor) -> float:
        with torch.no_grad():
            return float(objective(picture))

    fast = choose_precision("auto", CPU)
    variants = {
        f"instyle, {_name(fast)}": (fast, math.sqrt(2), "auto", True),
        "the same in float32": (torch.float32, math.sqrt(2), "auto", True),
        f"{_name(fast)}, one size": (fast, math.sqrt(2), 1, True),
        f"{_name(fast)}, sizes by 2, no momentum": (fast, 2.0, "auto", False),
    }
    for name, (precision, factor, scales, momentum) in variants.items():
        schedule.FACTOR = factor
        ScaleRun.momentum = carried if momentum else nothing  # type: ignore[method-assign]
        seen = ours(network, content, style, precision, options.steps, scales, judge)
        there = next((row for row in seen if row.objective <= plain.objective), None)
        if there:
            show(f"{name}: there after", there, plain)
            look(name, there, options.look)
        show(f"{name}: in the end", seen[-1], plain)


def show(name: str, row: Seen, plain: Seen) -> None:
    cells = [name, str(row.step), f"{row.objective:.4f}", f"{row.seconds:.0f}"]
    print(f"| {' | '.join(cells)} | {row.seconds / plain.seconds:.3f} |", flush=True)


def look(name: str, row: Seen, folder: Path | None) -> None:
    if folder:
        write_picture(folder / f"{name.replace(', ', '-').replace(' ', '-')}.png", row.picture)


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


carried = ScaleRun.momentum


def nothing(run: ScaleRun) -> None:
    del run


if __name__ == "__main__":
    main()
