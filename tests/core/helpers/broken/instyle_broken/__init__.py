"""Plugins that break one promise each: `fault` of their parameters says which.

Installed like the toy plugin beside it, which it borrows what works from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import field_validator

from instyle_core import (
    ExtractorParams,
    LossParams,
    Params,
    Plugin,
    RankerParams,
    SegmenterParams,
    Weights,
    hookimpl,
)

#: What methods of parameters answer that must not be answered, by fault.
ANSWERS = {
    "reads a list": ["bad"],
    "reads a text": {"bad": "cells"},
    "layers of text": {"cells": "2"},
    "layers of 0": {"cells": 0},
    "reach of a text": "far",
    "weights by name": ["net.bin"],
    "refiner is a number": 3,
}


def tell(fault: str, method: str, answer: object) -> object:
    """The answer of a method, or what the fault makes of it."""
    if fault == f"{method} raises":
        raise RuntimeError("it broke")
    if fault == f"{method} exits":
        raise SystemExit(0)
    return ANSWERS[fault] if fault in ANSWERS and fault.startswith(method) else answer


class BadParams(Params):
    fault: str = ""

    @field_validator("fault")
    @classmethod
    def _checked(cls, fault: str) -> str:
        if fault == "validator raises":
            raise KeyError("it broke")
        return fault

    def pretrained(self) -> Sequence[Weights]:
        return tell(self.fault, "weights", ())


class BadSegmenterParams(BadParams, SegmenterParams):
    @classmethod
    def refiner(cls) -> str | None:
        return None


class OddSegmenterParams(BadParams, SegmenterParams):
    @classmethod
    def refiner(cls) -> str | None:
        return tell("refiner is a number", "refiner", None)


class BadExtractorParams(BadParams, ExtractorParams):
    local: bool = True

    def layers(self) -> Mapping[str, int]:
        return tell(self.fault, "layers", {"cells": 2, "fine": 1})

    def reach(self, layer: str) -> int | None:
        return tell(self.fault, "reach", 0 if self.local else None)


class BadLossParams(BadParams, LossParams):
    extractor: str = "bad"

    def reads(self) -> Mapping[str, Sequence[str]]:
        return tell(self.fault, "reads", {self.extractor: ["cells"]})


class BadRankerParams(BadParams, RankerParams):
    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"bad": ["cells"]}


@hookimpl
def instyle_plugins() -> list[Plugin]:
    def bad(kind: str, name: str, params: type[Params], factory: str) -> Plugin:
        module = "exits" if name == "exits" else "parts"
        return Plugin(kind, name, params, f"instyle_broken.{module}:{factory}", f"Broken {kind}s.")

    return [
        bad("segmenter", "bad", BadSegmenterParams, "BadSegmenter"),
        bad("segmenter", "odd", OddSegmenterParams, "BadSegmenter"),
        bad("refiner", "bad", BadParams, "BadRefiner"),
        bad("extractor", "bad", BadExtractorParams, "BadExtractor"),
        bad("loss", "bad", BadLossParams, "BadLoss"),
        bad("loss", "bad-sums", BadLossParams, "BadSums"),
        bad("loss", "nowhere", BadLossParams, "Nowhere"),
        bad("loss", "exits", BadLossParams, "BadLoss"),
        bad("ranker", "bad", BadRankerParams, "BadRanker"),
        bad("merger", "bad", BadParams, "BadMerger"),
    ]
