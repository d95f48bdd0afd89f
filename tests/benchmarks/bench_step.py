"""Seconds a step of the optimization takes, against a bare pass through its network.

    python tests/benchmarks/bench_step.py [--sizes 256,512,1024] [--steps 12]
        [--preset default] [--give-back]

A step is that of the preset's losses, at one size, on a whole square picture. The bare pass is the
same network in the same precision and layout as far as these losses read it, forward and backward
to the pixels, with a constant gradient at the layers that they read: of torch's own layers, and as
instyle computes it. Medians, taken in turns, in float32 and in what
`precision: auto` takes. With --give-back, freed memory goes back to the system, as it does where
nobody says otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
import yaml
from torch import Tensor
from whole_picture import crop_for, plan_for

from instyle_core import testing
from instyle_core.config.plan import PRESETS, Plan, preset_text
from instyle_core.device import choose_precision
from instyle_core.memory import keep_freed_memory
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

CPU = torch.device("cpu")

Maps = Callable[[VGG19, Tensor, Sequence[str]], list[Tensor]]


def layers_of(plan: Plan) -> list[str]:
    """The layers that the plan's losses read, from shallow to deep."""
    assert plan.whole
    read = {layer for use in plan.whole.losses for layer in use.reads().get("vgg19", ())}
    return [layer for layer in VGG19Params().layers() if layer in read]


def plain_maps(network: VGG19, batch: Tensor, layers: Sequence[str]) -> list[Tensor]:
    """The maps as torch's own layers compute them, one after the other."""
    maps, values = [], batch - network.mean
    for name, layer in network.layers.named_children():
        values = layer(values)
        if name in layers:
            maps.append(values)
        if name == layers[-1]:
            return maps
    raise AssertionError


def own_maps(network: VGG19, batch: Tensor, layers: Sequence[str]) -> list[Tensor]:
    return [*network.extract(batch, layers).values()]


def bare_pass(
    compute: Maps, network: VGG19, image: Tensor, layers: Sequence[str], precision: torch.dtype
) -> float:
    """Seconds of forward and backward."""
    began = time.perf_counter()
    pixels = image[None].detach().requires_grad_()
    mixed = precision != torch.float32
    batch = pixels.contiguous(memory_format=torch.channels_last) if mixed else pixels
    with torch.autocast("cpu", precision, enabled=mixed):
        maps = compute(network, batch, layers)
    torch.autograd.backward(maps, [torch.ones_like(m) for m in maps])
    return time.perf_counter() - began


def compare(
    plan: Plan, network: VGG19, image: Tensor, precision: torch.dtype
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each step but the first, and of a bare pass of both kinds after each."""
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    layers = layers_of(plan)
    last = time.perf_counter()

    def watch(progress: Progress) -> None:
        nonlocal last
        times[0].append(time.perf_counter() - last)
        times[1].append(bare_pass(plain_maps, network, image, layers, precision))
        times[2].append(bare_pass(own_maps, network, image, layers, precision))
        last = time.perf_counter()

    crop = crop_for(image, testing.picture(*image.shape[1:], seed=2))
    networks = Networks({"vgg19": network}, CPU, precision, {"vgg19": VGG19Params()})
    assert plan.whole
    stylize(crop, plan.whole, plan.spec, networks, watch)
    return times[0][1:], times[1][1:], times[2][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="256,512,1024")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--give-back", action="store_true", help="give freed memory back")
    options = parser.parse_args()
    if not options.give_back:
        keep_freed_memory()
    network = VGG19(VGG19Params())
    losses = yaml.safe_load(preset_text(options.preset))["losses"]
    precisions = dict.fromkeys([choose_precision("auto", CPU), torch.float32])
    print("| size | precision | a step | a bare pass | ratio | our pass | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in map(int, options.sizes.split(",")):
        image = testing.picture(size, size)
        plan = plan_for(size, {"steps": options.steps, "scales": 1}, losses=losses)
        for precision in precisions:
            step, plain, own = map(median, compare(plan, network, image, precision))
            kind = str(precision).removeprefix("torch.")
            row = [size, kind, f"{step:.3f} s", f"{plain:.3f} s", f"{step / plain:.2f}"]
            row += [f"{own:.3f} s", f"{step / own:.2f}"]
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
