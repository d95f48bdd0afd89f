"""The objective of one object at one size: its weighted losses over the composited picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.spec import Style
from instyle_core.images.resize import resize
from instyle_core.interfaces.loss import Loss, SummedLoss, Targets
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.schedule import scaled
from instyle_core.painting.color import Palette
from instyle_core.painting.crop import Crop, paints_at
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.painting.style_cache import StyleCache
from instyle_core.plugin.use import Use


def term_names(losses: Sequence[Use]) -> list[str]:
    """A unique name for each loss: the plugin's name; a second one gets ``-2``, and so on."""
    names: list[str] = []
    for use in losses:
        name, count = use.plugin.name, 2
        while name in names:
            name = f"{use.plugin.name}-{count}"
            count += 1
        names.append(name)
    return names


class Term:
    """A term of the objective: a loss with its weight."""

    def __init__(self, name: str, use: Use) -> None:
        self.name = name
        self.weight = use.weight
        self.reads = use.reads()
        self.loss: Loss = use.create()

    def is_local(self, stack: FeatureStack) -> bool:
        """Whether the loss can be computed tile by tile."""
        return isinstance(self.loss, SummedLoss) and stack.is_local(self.reads)


class Objective:
    """The `Scale` of one object: its pixels are composited over the photo behind them."""

    def __init__(
        self,
        crop: Crop,
        style: Style,
        palette: Palette,
        terms: Sequence[Term],
        stack: FeatureStack,
        cache: StyleCache | None,
        size: Size,
    ) -> None:
        self.size = size
        self._device = stack.device
        self._stack = stack
        self._palette = palette
        self._terms = terms
        self._content = resize(crop.content, size).to(self._device)
        self._paints = paints_at(crop.paints, size).to(self._device) > 0
        coverage = F.interpolate(crop.mask[None], size, mode="area")
        self._mask = MaskPyramid(coverage.to(self._device), stack.strides)
        self._prepare(crop.styles, style, cache)

    @torch.no_grad()
    def _prepare(self, pictures: Sequence[Tensor], style: Style, cache: StyleCache | None) -> None:
        """Have each loss compute what is constant at this size."""
        weights = style.weights or [1.0] * len(pictures)
        views = []
        for picture in pictures:
            resized = style_at(picture, self.size, style.scale).to(self._device)[None]
            everywhere = MaskPyramid(torch.ones_like(resized[:, :1]))
            views.append(self._stack.target(resized, everywhere, cache))
        targets = Targets(
            content=self._stack.target(self._palette.seen(self._content)[None], self._mask),
            styles=tuple(views),
            style_weights=tuple(weight / sum(weights) for weight in weights),
        )
        for term in self._terms:
            term.loss.prepare(targets)

    def enter(self, picture: Tensor) -> Tensor:
        return self.compose(resize(picture, self.size).to(self._device))

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


def style_at(style: Tensor, size: Size, scale: float) -> Tensor:
    """A style picture, resized so that its long side is `scale` times that of the crop."""
    own = (style.shape[1], style.shape[2])
    return resize(style, scaled(own, scale * max(size) / max(own)))
