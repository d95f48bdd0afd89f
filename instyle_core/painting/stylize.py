"""Repaints one crop: its objective is minimized, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from instyle_core.config.plan import ObjectPlan
from instyle_core.config.spec import Spec
from instyle_core.device import is_out_of_memory
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import OptimizationState, Outcome, Progress, optimize
from instyle_core.optimization.scale import StepFailure, out_of_memory
from instyle_core.optimization.schedule import Level, scaled, schedule
from instyle_core.painting.crop import Crop
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import Objective, Term, term_names

#: In pixels. Smaller tiles would depend on more pixels around them than of their own.
SMALLEST_TILE = 128

#: A crop with a shorter long side is enlarged to it, in pixels.
SMALLEST_LONG_SIDE = 128


def working_size(size: Size, longest: int) -> Size:
    """The size that a crop is optimized at.

    Args:
        size: of the crop.
        longest: the long side, in pixels, that larger crops are shrunk to. A narrow one stays
            longer: its short side has to be `SMALLEST_SIDE`.
    """
    factor = min(1.0, longest / max(size))
    if max(size) * factor < SMALLEST_LONG_SIDE:
        factor = min(SMALLEST_LONG_SIDE, longest) / max(size)
    return scaled(size, factor)


def levels_for(size: Size, spec: Spec) -> list[Level]:
    """The levels of the optimization of a crop, coarse to fine."""
    return schedule(working_size(size, spec.size), spec.optimizer.scales, spec.optimizer.steps)


def stylize(
    crop: Crop,
    plan: ObjectPlan,
    spec: Spec,
    networks: Networks,
    on_step: Callable[[Progress], None],
    resume_from: OptimizationState | None = None,
    on_note: Callable[[str], None] = lambda message: None,
) -> Outcome:
    """Repaint the pixels of a crop.

    Args:
        crop: the photo around the object, with its styles.
        plan: the object's losses and style.
        spec: size, optimizer and start.
        networks: extractors, device and precision.
        on_step: called after each step.
        resume_from: the state that an interrupted call with the same arguments returned.
        on_note: is told if something is computed in another way than planned.

    Returns:
        The outcome. Its picture has the working size, or a smaller one if stopped early.
    """
    names = term_names(plan.losses)
    terms = [Term(*pair) for pair in zip(names, plan.losses, strict=True)]
    stack = FeatureStack(
        networks.extractors,
        [term.reads for term in terms],
        networks.device,
        networks.precision,
        params=networks.params,
        tile=networks.tile,
    )
    height, width = crop.content.shape[1:]
    sizes = [level.size for level in levels_for((height, width), spec)]
    start = crop.content if crop.start is None else crop.start
    if spec.start == "noise":  # drawn at the first size: shrunk noise would be flat
        start = torch.rand(3, *sizes[0])

    palette = crop.palette()
    crop = replace(crop, styles=[palette.style(picture) for picture in crop.styles])

    def fall_back(failure: StepFailure) -> bool:
        if failure == "overflow":
            stack.gradient_scale /= 16
            return networks.precision == torch.float16 and stack.gradient_scale >= 1
        tile = (stack.tile or max(sizes[-1])) // 2
        if tile < SMALLEST_TILE or not any(term.is_local(stack) for term in terms):
            return False
        stack.tile = tile
        on_note(f"memory has run out; continuing in tiles of {tile} pixels")
        return True

    def objective(size: Size) -> Objective:
        cache = networks.style_cache
        while True:
            try:
                return Objective(crop, plan.style, palette, terms, stack, cache, size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if not fall_back("memory"):
                raise out_of_memory(size)

    return optimize(objective, sizes, start, spec.optimizer, on_step, resume_from, fall_back)
