"""One object: crop, targets, losses, optimize, put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from instyle_core.config.plan import ObjectPlan
from instyle_core.config.spec import Spec
from instyle_core.device import is_out_of_memory
from instyle_core.images.resize import resample
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import OptimizationState, Outcome, Progress, optimize
from instyle_core.optimization.scale import StepFailure, out_of_memory
from instyle_core.optimization.schedule import SMALLEST_SIDE, Level, schedule
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.objective import Crop, Objective, _paints_at, _Term, term_names
from instyle_core.painting.style_cache import StyleCache

#: Tiles that are smaller than this, in pixels, would consist of their surroundings.
SMALLEST_TILE = 128


#: A crop whose long side is below this is enlarged to it.
SMALLEST_LONG_SIDE = 128


@dataclass(frozen=True)
class Networks:
    """What all objects of a run share.

    Attributes:
        extractors: by the names that losses know them by.
        device: where to compute.
        precision: of the networks.
        params: their parameters, by the same names, which tell how to cut pictures into tiles.
        tile: the side of the tiles, in pixels, that larger pictures are computed in; 0 for never.
        memory: keeps the sums of style pictures.
    """

    extractors: Mapping[str, FeatureExtractor]
    device: torch.device
    precision: torch.dtype
    params: Mapping[str, ExtractorParams] = field(default_factory=dict)
    tile: int = 0
    memory: StyleCache | None = None


def working_size(crop: Size, longest: int) -> Size:
    """The size that a crop is optimized at: its own, unless it is too large or too small."""
    factor = min(1.0, longest / max(crop))
    if max(crop) * factor < SMALLEST_LONG_SIDE:
        factor = min(SMALLEST_LONG_SIDE, longest) / max(crop)
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in crop)
    return height, width


def levels_for(crop: Size, spec: Spec) -> list[Level]:
    """What is to be done for a crop of a size, coarse to fine."""
    return schedule(working_size(crop, spec.size), spec.optimizer.scales, spec.optimizer.steps)


def stylize(
    task: Crop,
    plan: ObjectPlan,
    spec: Spec,
    setting: Networks,
    on_step: Callable[[Progress], None],
    resume_from: OptimizationState | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Outcome:
    """Repaint the pixels of a crop.

    Args:
        task: pictures and masks, all cut to the crop.
        plan: the object's losses and style.
        spec: size, optimizer and start.
        setting: extractors, device and precision.
        on_step: told of each step.
        resume_from: the state that an interrupted call with the same arguments ended in.
        on_note: told where something is computed in another way than was meant.

    Returns:
        The outcome; its picture is of the working size or, when stopped early, of a smaller one.
    """
    names = term_names(plan.losses)
    terms = [_Term(*pair) for pair in zip(names, plan.losses, strict=True)]
    stack = FeatureStack(
        setting.extractors,
        [term.reads for term in terms],
        setting.device,
        setting.precision,
        params=setting.params,
        tile=setting.tile,
    )
    height, width = task.content.shape[1:]
    sizes = [level.size for level in levels_for((height, width), spec)]
    start = task.content if task.start is None else task.start
    if spec.start == "noise":  # drawn at the first size: shrunk, it would be flat
        start = torch.rand(3, *sizes[0])

    palette = task.palette()
    task = replace(task, styles=[palette.style(picture) for picture in task.styles])

    def fall_back(failure: StepFailure) -> bool:
        if failure == "overflow":
            stack.gradient_scale /= 16
            return setting.precision == torch.float16 and stack.gradient_scale >= 1
        tile = (stack.tile or max(sizes[-1])) // 2
        if tile < SMALLEST_TILE or not any(term.is_local(stack) for term in terms):
            return False
        stack.tile = tile
        if on_note:
            on_note(f"memory has run out, so that it goes on in tiles of {tile} pixels")
        return True

    def problem(size: Size) -> Objective:
        while True:
            try:
                return Objective(task, plan.style, palette, terms, stack, setting.memory, size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if not fall_back("memory"):
                raise out_of_memory(size)

    return optimize(problem, sizes, start, spec.optimizer, on_step, resume_from, fall_back)


def put_back(task: Crop, picture: Tensor) -> Tensor:
    """The content with the painted pixels replaced by those of a result, at full resolution.

    Only painted pixels have a part in the resampling: those of the photo around them would show as
    a fringe along the object's rim. Colors that are the photo's own are taken from it at full
    resolution.
    """
    full = picture
    if picture.shape != task.content.shape:
        painted = _paints_at(task.paints, (picture.shape[1], picture.shape[2]))
        height, width = task.content.shape[1:]
        parts = resample(torch.cat([picture * painted, painted]), (height, width))
        full = (parts[:3] / parts[3:]).clamp(0, 1)
        full = task.palette().painted(full, task.content)
    return torch.where(task.paints > 0, full, task.content)
