"""A loss in closed form that remembers what it saw, and an extractor that counts its passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, is_grad_enabled

from instyle_core.interfaces.loss import Loss, Targets, View
from instyle_core.interfaces.params import LossParams
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor
from tests.core.helpers.plans import use


class LevelParams(LossParams):
    level: float = 1.0

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"pixels": ["cells"]}


class Level(Loss):
    """The mean of ``(x - level)²`` over the object."""

    made: ClassVar[list[Level]] = []

    def __init__(self, params: LevelParams) -> None:
        self._level = params.level
        self.targets: list[Targets] = []
        self.views: list[tuple[Tensor, Tensor]] = []
        Level.made.append(self)

    def prepare(self, targets: Targets) -> None:
        assert not is_grad_enabled()
        self.targets.append(targets)
        for view in (targets.content, *targets.styles):
            view.features("pixels", "cells")

    def __call__(self, view: View) -> Tensor:
        self.views.append((view.image.detach().clone(), view.mask()))
        view.features("pixels", "cells")
        mask = view.mask()
        return ((view.image - self._level).square() * mask).sum() / mask.sum() / 3


class Counting(PixelExtractor):
    calls = 0

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.calls += 1
        return super().extract(images, layers)


def level(weight: float = 1, name: str = "level", to: float = 1.0) -> Use:
    return use("loss", LevelParams(level=to), f"{__name__}:Level", name=name, weight=weight)
