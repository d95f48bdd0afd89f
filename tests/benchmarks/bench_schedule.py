"""What the objective comes to, at the same cost, by how the steps are spread over the sizes.

    python tests/benchmarks/bench_schedule.py [--sizes 288,512] [--steps 200]
                                              [--content PHOTO --style PAINTING] [--look FOLDER]

The schedules that instyle had, and the one that it has. Each of the former takes as many steps as
cost what the latter does with --steps of them: a step costs its pixels, and what the clock takes it
to cost besides. The whole picture is painted, by default the demo's, with the default losses, in
the precision that is fast here; bench_objective's independent function judges it in float32. With
--look, the pictures are written.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from bench_objective import CPU, DEMO, Plain, pictures
from whole_picture import crop_for, plan_for

from instyle_core.device import choose_precision
from instyle_core.images.picture import write_picture
from instyle_core.interfaces.pictures import Size
from instyle_core.memory import keep_freed_memory
from instyle_core.optimization import schedule
from instyle_core.optimization.time_left import OVERHEAD
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import style_at
from instyle_core.painting.stylize import stylize
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

#: By name, the shares of the finest size and, at most, of each middle one.
SCHEDULES = {
    "as it is": (schedule.FINEST_SHARE, schedule.MIDDLE_SHARE),
    "45%, and 12% at most": (0.45, 0.12),
    "40%, the others alike": (0.4, 1.0),
}


def cost(size: Size, steps: int) -> int:
    """In pixels, of the schedule that is set."""
    levels = schedule.schedule(size, "auto", steps)
    return sum(level.steps * (level.size[0] * level.size[1] + OVERHEAD) for level in levels)


def steps_at(size: Size, wanted: int) -> int:
    """How many steps of the schedule that is set cost as much, or nearly."""
    return min(range(1, 1000), key=lambda steps: abs(cost(size, steps) - wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="288,512")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--content", type=Path, default=DEMO / "cat.png")
    parser.add_argument("--style", type=Path, default=DEMO / "swirls.jpg")
    parser.add_argument("--look", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    network, precision = VGG19(VGG19Params()), choose_precision("auto", CPU)
    networks = Networks({"vgg19": network}, CPU, precision, {"vgg19": VGG19Params()})
    print("| size | steps at the finest size | of | objective | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for side in map(int, options.sizes.split(",")):
        options.size = side
        content, style = pictures(options)
        size = content.shape[1], content.shape[2]
        objective = Plain(network, content, style_at(style, size, 1.0))
        costs = None
        for name, shares in SCHEDULES.items():
            schedule.FINEST_SHARE, schedule.MIDDLE_SHARE = shares
            costs = costs or cost(size, options.steps)  # of the first
            steps = steps_at(size, costs)
            plan, crop = plan_for(side, {"steps": steps}), crop_for(content, style)
            assert plan.whole
            began = time.perf_counter()
            picture = stylize(crop, plan.whole, plan.spec, networks, lambda _: None).picture
            seconds = time.perf_counter() - began
            assert picture is not None
            with torch.no_grad():
                judged = float(objective(picture))
            cells = [str(side), name, str(steps), f"{judged:.4f}", f"{seconds:.1f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
            if options.look:
                options.look.mkdir(parents=True, exist_ok=True)
                write_picture(options.look / f"{side}-{name.split(',')[0]}.png", picture)


if __name__ == "__main__":
    main()
