"""Plugins that only have parameters: enough to check specs with, and independent of real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest
from pydantic import Field

from instyle_core import ExtractorParams, InputFile, LossParams, Params, Plugin, hookimpl, testing
from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.errors import SpecError
from instyle_core.plugin.registry import Registry


class CutParams(Params):
    threshold: float = Field(0.5, gt=0, lt=1)
    file: InputFile | None = None


class DotsParams(ExtractorParams):
    depth: int = Field(3, ge=1, le=40)

    def layers(self) -> Mapping[str, int]:
        return {f"dots{number}": 2**number for number in range(1, self.depth + 1)}


class Band(Params):
    low: int
    high: int = 9


class TintParams(LossParams):
    extractor: str = "dots"
    layers: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("dots1",)
    strength: float = Field(1.0, ge=0, le=2)
    mode: Literal["soft", "hard", "none"] = "soft"
    grain: bool = False
    bands: dict[str, Band] = Field({}, alias="by-name")
    pair: tuple[int, int] = (0, 0)

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: self.layers}


class FlatParams(LossParams):
    """Reads nothing, and has nothing to set."""


class PasteParams(Params):
    width: int
    corner: Annotated[str, Field(pattern="^[a-z]+$")] = "round"


RECORDS = [
    Plugin("segmenter", "cut", CutParams, "nowhere:Cut", "Cuts."),
    Plugin("extractor", "dots", DotsParams, "nowhere:Dots", "Dots."),
    Plugin("loss", "tint", TintParams, "nowhere:Tint", "Tints."),
    Plugin("loss", "flat", FlatParams, "nowhere:Flat", "Flattens."),
    Plugin("merger", "paste", PasteParams, "nowhere:Paste", "Pastes."),
]

PRESETS = {
    "default": "losses: [{use: tint, weight: 3}]\nmerger: {use: paste, width: 4}\n",
    "left_out": "by-class: cut\nby-pointing: {use: cut, threshold: 0.75}\n",
}


def registry_of(records: Sequence[Plugin]) -> Registry:
    """A registry in which just these are installed."""
    module = ModuleType("instyle_fakes")
    setattr(module, "instyle_plugins", hookimpl(lambda: records, specname="instyle_plugins"))  # noqa: B010
    return testing.registry(module)


class Checker:
    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder = folder
        self.registry = registry

    def plan(self, text: str) -> plan.Plan:
        return plan.make(Document.parse(text, "a.yaml", self.folder), self.registry)

    def problems(self, text: str) -> list[str]:
        """Every error, as ``line: what``."""
        with pytest.raises(SpecError) as caught:
            self.plan(text)
        return [
            f"{(problem.where or '').removeprefix('a.yaml:')}: {problem.what}"
            for problem in caught.value.problems
        ]
