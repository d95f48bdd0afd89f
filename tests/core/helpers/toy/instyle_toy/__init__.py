"""A third-party plugin for the tests: cheap, with results that can be told beforehand, or faults.

The folder that this one is in looks like a site-packages folder in which the plugin is installed;
tests put it on the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from instyle_core import (
    ExtractorParams,
    InputPicture,
    LossParams,
    Params,
    Plugin,
    RankerParams,
    SegmenterParams,
    Weights,
    hookimpl,
)

MISSING = Weights(
    name="toy-missing",
    file="net.bin",
    sha256="0" * 64,
    megabytes=1.0,
    license="none",
    summary="Weights of a package that is not installed.",
    package="no_such_package",
)


class StencilParams(SegmenterParams):
    path: InputPicture
    name: str = "thing"
    instances: bool = False

    def finds(self) -> Sequence[str]:
        return (self.name,)


class CoarseParams(StencilParams):
    @classmethod
    def refiner(cls) -> str:
        return "shift"


class ShiftParams(Params):
    pixels: int = 2
    weights: bool = False

    def pretrained(self) -> Sequence[Weights]:
        return (MISSING,) if self.weights else ()


class PixelsParams(ExtractorParams):
    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}


class HeavyParams(PixelsParams):
    def pretrained(self) -> Sequence[Weights]:
        return (MISSING,)


class TintParams(LossParams):
    color: tuple[float, float, float] = (1.0, 0.0, 0.0)


class PaletteParams(LossParams):
    pass


class DiceParams(LossParams):
    pass


class FaultParams(LossParams):
    kind: Literal["nan", "nan gradient", "explode", "raise", "interrupt"] = "nan"
    at: int = 1
    extractor: str | None = None

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: ["cells"]} if self.extractor else {}


class NearParams(RankerParams):
    weights: bool = False
    extractor: str | None = None
    score: float | None = None

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: ["cells"]} if self.extractor else {}

    def pretrained(self) -> Sequence[Weights]:
        return (MISSING,) if self.weights else ()


class NoParams(Params):
    pass


@hookimpl
def instyle_plugins() -> list[Plugin]:
    def toy(kind: str, name: str, params: type[Params], factory: str, **more: object) -> Plugin:
        return Plugin(kind, name, params, f"instyle_toy.parts:{factory}", f"A toy {kind}.", **more)

    return [
        toy("segmenter", "stencil", StencilParams, "Stencil"),
        toy("segmenter", "coarse", CoarseParams, "Stencil"),
        toy("refiner", "shift", ShiftParams, "Shift"),
        toy("extractor", "pixels", PixelsParams, "Pixels"),
        toy("extractor", "heavy", HeavyParams, "Pixels", weights=(MISSING,)),
        toy("loss", "tint", TintParams, "Tint"),
        toy("loss", "inks", PaletteParams, "Palette"),
        toy("loss", "dice", DiceParams, "Dice"),
        toy("loss", "fault", FaultParams, "Fault"),
        toy("ranker", "near", NearParams, "Near"),
        toy("merger", "clumsy", NoParams, "Clumsy"),
    ]
