"""One object: crop, targets, losses, optimise, put back."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.features import FeatureStack, MaskPyramid
from instyle_core.images import resample, resize
from instyle_core.instances import box_of
from instyle_core.interfaces import Box, ExtractorParams, FeatureExtractor, LossParams, Size
from instyle_core.losses import Loss, SummedLoss, Targets
from instyle_core.machine import is_out_of_memory
from instyle_core.optimize import Outcome, Progress, State, optimize
from instyle_core.palette import Palette
from instyle_core.plan import ObjectPlan
from instyle_core.scale_run import Trouble, out_of_memory
from instyle_core.schedule import SMALLEST_SIDE, Leg, schedule
from instyle_core.spec import COLORS_OF_STYLE, Color, Spec, Style
from instyle_core.target_memory import TargetMemory
from instyle_core.uses import Use

#: The least context around an object, in pixels.
LEAST_MARGIN = 8

#: The stride of the deepest layers of common networks, in pixels.
CELL = 16

#: Tiles that are smaller than this, in pixels, would consist of their surroundings.
SMALLEST_TILE = 128

#: A crop whose long side is below this is enlarged to it.
SMALLEST_LONG_SIDE = 128


@dataclass(frozen=True)
class Task:
    """What there is to repaint.

    Attributes:
        content: the photo as it stands, float32 (3, H, W), in [0, 1].
        paints: 0 or 1, (1, H, W): the pixels to repaint.
        mask: 0 or 1, (1, H, W): the object, over which losses are measured.
        styles: the style pictures, float32 (3, h, w).
        start: a picture to start from, (3, H, W); None for the content or noise.
        color: whose colours the object is to have.
    """

    content: Tensor
    paints: Tensor
    mask: Tensor
    styles: Sequence[Tensor]
    start: Tensor | None = None
    color: Color = COLORS_OF_STYLE

    def palette(self) -> Palette:
        """The colours that the object is to have."""
        return Palette(self.color, self.content, self.mask)


@dataclass(frozen=True)
class Setting:
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
    memory: TargetMemory | None = None


def crop_box(mask: Tensor, margin: float, paints: Tensor | None = None) -> Box:
    """The box of a mask (1, H, W) with context around it, inside of the picture.

    Args:
        mask: the object's; not empty.
        margin: on each side, as a fraction of the box's long side; at least `LEAST_MARGIN`, so that
            a small object sees some background too.
        paints: pixels (1, H, W) that have to be inside as well.
    """
    x0, y0, x1, y1 = box_of(mask)
    height, width = mask.shape[1:]
    extra = max(LEAST_MARGIN, round(margin * max(x1 - x0, y1 - y0)))
    x0, y0, x1, y1 = x0 - extra, y0 - extra, x1 + extra, y1 + extra
    if paints is not None:
        left, top, right, bottom = box_of(paints)
        x0, y0, x1, y1 = min(x0, left), min(y0, top), max(x1, right), max(y1, bottom)
    (x0, x1), (y0, y1) = _whole_cells(x0, x1, width), _whole_cells(y0, y1, height)
    return x0, y0, x1, y1


def _whole_cells(first: int, last: int, length: int) -> tuple[int, int]:
    """A range grown to a multiple of `CELL` where there is room, inside of 0 to length.

    Networks compute sides that their poolings divide without a rest faster, and see all of them.
    """
    first, last = max(0, first), min(length, last)
    wanted = min(length, -(-(last - first) // CELL) * CELL)
    first = min(max(0, first - (wanted - (last - first)) // 2), length - wanted)
    return first, first + wanted


def cut(image: Tensor, box: Box) -> Tensor:
    """The pixels (C, h, w) of a picture (C, H, W) inside of a box."""
    x0, y0, x1, y1 = box
    return image[:, y0:y1, x0:x1]


def paste(canvas: Tensor, box: Box, pixels: Tensor) -> Tensor:
    """A picture (C, H, W) with the pixels (C, h, w) inside of a box replaced."""
    x0, y0, x1, y1 = box
    pasted = canvas.clone()
    pasted[:, y0:y1, x0:x1] = pixels
    return pasted


def working_size(crop: Size, longest: int) -> Size:
    """The size that a crop is optimised at: its own, unless it is too large or too small."""
    factor = min(1.0, longest / max(crop))
    if max(crop) * factor < SMALLEST_LONG_SIDE:
        factor = min(SMALLEST_LONG_SIDE, longest) / max(crop)
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in crop)
    return height, width


def legs_of(crop: Size, spec: Spec) -> list[Leg]:
    """What is to be done for a crop of a size, coarse to fine."""
    return schedule(working_size(crop, spec.size), spec.optimizer.scales, spec.optimizer.steps)


def stylize(
    task: Task,
    plan: ObjectPlan,
    spec: Spec,
    setting: Setting,
    on_step: Callable[[Progress], None],
    resume_from: State | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Outcome:
    """Repaint the pixels of a crop.

    Args:
        task: pictures and masks, all cut to the crop.
        plan: the object's losses and style.
        spec: size, optimiser and start.
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
    sizes = [leg.size for leg in legs_of((height, width), spec)]
    start = task.content if task.start is None else task.start
    if spec.start == "noise":  # drawn at the first size: shrunk, it would be flat
        start = torch.rand(3, *sizes[0])

    palette = task.palette()
    task = replace(task, styles=[palette.style(picture) for picture in task.styles])

    def relieve(trouble: Trouble) -> bool:
        if trouble == "overflow":
            stack.gradient_scale /= 16
            return setting.precision == torch.float16 and stack.gradient_scale >= 1
        tile = (stack.tile or max(sizes[-1])) // 2
        if tile < SMALLEST_TILE or not any(term.is_local(stack) for term in terms):
            return False
        stack.tile = tile
        if on_note:
            on_note(f"memory has run out, so that it goes on in tiles of {tile} pixels")
        return True

    def problem(size: Size) -> _Problem:
        while True:
            try:
                return _Problem(task, plan.style, palette, terms, stack, setting.memory, size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if not relieve("memory"):
                raise out_of_memory(size)

    return optimize(problem, sizes, start, spec.optimizer, on_step, resume_from, relieve)


def put_back(task: Task, picture: Tensor) -> Tensor:
    """The content with the painted pixels replaced by those of a result, at full resolution.

    Only painted pixels have a part in the resampling: those of the photo around them would show as
    a fringe along the object's rim. Colours that are the photo's own are taken from it at full
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


def term_names(losses: Sequence[Use]) -> list[str]:
    """A name for each loss: the plugin's, numbered from the second of its kind on."""
    names: list[str] = []
    for use in losses:
        name, count = use.plugin.name, 2
        while name in names:
            name = f"{use.plugin.name}-{count}"
            count += 1
        names.append(name)
    return names


class _Term:
    """A term of the objective: a loss with its weight."""

    def __init__(self, name: str, use: Use) -> None:
        assert isinstance(use.params, LossParams)
        self.name = name
        self.weight = use.weight
        self.reads = use.params.reads()
        self.loss: Loss = use.create()

    def is_local(self, stack: FeatureStack) -> bool:
        """Whether it can be computed tile by tile."""
        return isinstance(self.loss, SummedLoss) and stack.is_local(self.reads)


class _Problem:
    """The `Scale` of one object: its pixels composited over their true background."""

    def __init__(
        self,
        task: Task,
        style: Style,
        palette: Palette,
        terms: Sequence[_Term],
        stack: FeatureStack,
        memory: TargetMemory | None,
        size: Size,
    ) -> None:
        self.size = size
        self._device = stack.device
        self._stack = stack
        self._palette = palette
        self._terms = terms
        self._content = resize(task.content, size).to(self._device)
        self._paints = _paints_at(task.paints, size).to(self._device) > 0
        coverage = F.interpolate(task.mask[None], size, mode="area")
        self._mask = MaskPyramid(coverage.to(self._device))
        self._prepare(task.styles, style, memory)

    @torch.no_grad()
    def _prepare(
        self, pictures: Sequence[Tensor], style: Style, memory: TargetMemory | None
    ) -> None:
        weights = style.weights or [1.0] * len(pictures)
        views = []
        for picture in pictures:
            resized = style_at(picture, self.size, style.scale).to(self._device)[None]
            everywhere = MaskPyramid(torch.ones_like(resized[:, :1]))
            views.append(self._stack.target(resized, everywhere, memory))
        targets = Targets(
            content=self._stack.target(self._palette.seen(self._content)[None], self._mask),
            styles=tuple(views),
            style_weights=tuple(weight / sum(weights) for weight in weights),
        )
        for term in self._terms:
            term.loss.prepare(targets)

    def enter(self, picture: Tensor) -> Tensor:
        return self.compose(resize(picture, self.size).to(self._device)).clone()

    def compose(self, pixels: Tensor) -> Tensor:
        painted = self._palette.painted(pixels, self._content)
        return torch.where(self._paints, painted, self._content)

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        image = self._palette.seen(self.compose(pixels))[None]
        values: dict[str, Tensor] = {}
        if len(self._stack.tiles(self.size)) > 1:
            summed = {
                term.name: term.loss
                for term in self._terms
                if isinstance(term.loss, SummedLoss) and term.is_local(self._stack)
            }
            sums = self._stack.sums([*summed.values()], image, self._mask)
            values = {name: summed[name].value(own) for name, own in zip(summed, sums, strict=True)}
        view = self._stack.view(image, self._mask)
        for term in self._terms:
            if term.name not in values:
                values[term.name] = term.loss(view)
        return {term.name: term.weight * values[term.name] for term in self._terms}


def _paints_at(paints: Tensor, size: Size) -> Tensor:
    """The pixels to repaint at a working size: every one that a pixel to repaint falls into."""
    return (F.interpolate(paints[None], size, mode="area") > 0).float()[0]


def style_at(style: Tensor, size: Size, scale: float) -> Tensor:
    """A style picture whose long side is `scale` times that of the crop."""
    factor = scale * max(size) / max(style.shape[1:])
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in style.shape[1:])
    return resize(style, (height, width))
