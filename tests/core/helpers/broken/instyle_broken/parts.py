"""The code behind the broken plugins. Without a fault, each of them is fine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from instyle_broken import (
    BadLossParams,
    BadParams,
)
from instyle_core import (
    FeatureExtractor,
    Instance,
    Loss,
    Mask,
    Merger,
    Prompt,
    Ranker,
    Rating,
    Refiner,
    Segmentation,
    Segmenter,
    SummedLoss,
    Targets,
    View,
)
from instyle_core.testing import PixelExtractor

NAN = float("nan")


def breaks(*_: object) -> NoReturn:
    raise RuntimeError("it broke")


def exits(*_: object) -> NoReturn:
    sys.exit()


class Panic(BaseException):
    """As that of a library written in Rust."""


def panics(*_: object) -> NoReturn:
    raise Panic("it broke")


RAISES: dict[str, Callable[..., Any]] = {"raises": breaks, "exits": exits, "panics": panics}


def raise_where_told(method: str, fault: str) -> None:
    if fault.startswith(f"{method} "):
        RAISES.get(fault.removeprefix(f"{method} "), lambda: None)()


def punched(tensor: Tensor, hole: float = NAN) -> Tensor:
    """The same with one number replaced."""
    tensor = tensor.clone()
    tensor[..., 5, 5] = hole
    return tensor


def overwrite(tensor: Tensor) -> None:
    """Write to a tensor by way of NumPy."""
    array = tensor.numpy()
    array[..., 3, 3] = 1 - array[..., 3, 3]


class Bad:
    """What they have in common: the constructor, which may be at fault."""

    def __init__(self, params: BadParams) -> None:
        self.fault = params.fault
        raise_where_told("constructor", self.fault)

    def __new__(cls, params: BadParams) -> Any:
        return object() if params.fault == "another thing" else super().__new__(cls)


# --- segmenters -----------------------------------------------------------------------------------

SEEN: dict[str, Callable[[Segmentation], Any]] = {
    "None": lambda seen: None,
    "a tuple": lambda seen: (seen.classes, seen.probabilities),
    "a text for classes": lambda seen: replace(seen, classes="ab"),
    "three names": lambda seen: replace(seen, classes=("background", "thing", "more")),
    "no names": lambda seen: replace(seen, classes=()),
    "a name twice": lambda seen: replace(seen, classes=("thing", "thing")),
    "a name that is none": lambda seen: replace(seen, classes=("thing", [])),
}
PROBABILITIES: dict[str, Callable[[Tensor], Any]] = {
    "an array": lambda p: p.numpy(),
    "smaller": lambda p: p[:, 1:],
    "a batch": lambda p: p[None],
    "NaN": punched,
    "logits": lambda p: (p - 0.5) * 20,
    "a negative one": lambda p: punched(p, -0.25),
    "a sum of 0.9": lambda p: p * 0.9,
    "float64": lambda p: p.double(),
    "bytes": lambda p: (p * 255).byte(),
    "elsewhere": lambda p: p.to("meta"),
}
INSTANCES: dict[str, Callable[[Tensor], Any]] = {
    "another class": lambda m: Instance("cow", m, 0.9),
    "a score of 7": lambda m: Instance("thing", m, 7.0),
    "a score of NaN": lambda m: Instance("thing", m, NAN),
    "a score of text": lambda m: Instance("thing", m, "sure"),
    "a flat mask": lambda m: Instance("thing", m[0], 0.9),
    "a mask of NaN": lambda m: Instance("thing", punched(m), 0.9),
    "a mask of 255": lambda m: Instance("thing", m * 255, 0.9),
    "a tuple of two": lambda m: ("thing", m),
}


class BadSegmenter(Bad, Segmenter):
    """A square in the middle."""

    def segment(self, image: Tensor, prompt: Prompt) -> Any:
        if self.fault == "prints":
            print("it talks")
        mask = torch.zeros_like(image[:1])
        mask[:, 10:31, 20:41] = 1
        seen = Segmentation(("background", "thing"), torch.cat([1 - mask, mask]))
        if self.fault == "changes the photo":
            overwrite(image)
        if self.fault in INSTANCES:
            return replace(seen, instances=(INSTANCES[self.fault](mask),))
        if self.fault in PROBABILITIES:
            return replace(seen, probabilities=PROBABILITIES[self.fault](seen.probabilities))
        return {**SEEN, **RAISES}.get(self.fault, lambda seen: seen)(seen)


# --- refiners -------------------------------------------------------------------------------------

REFINED: dict[str, Callable[[Mask], Any]] = {
    "None": lambda mask: None,
    "a tensor": lambda mask: mask.decision,
    "NaN": lambda mask: replace(mask, probability=punched(mask.probability)),
    "smaller": lambda mask: Mask(mask.probability[:, 1:], mask.decision[:, 1:]),
    "beyond 1": lambda mask: replace(mask, probability=mask.probability * 3),
    "half decided": lambda mask: replace(mask, decision=mask.decision / 2),
    "undecided": lambda mask: replace(mask, decision=punched(mask.decision)),
    "bool": lambda mask: replace(mask, decision=mask.decision > 0),
    "empty": lambda mask: replace(mask, decision=mask.decision * 0),
}


class BadRefiner(Bad, Refiner):
    def refine(self, image: Tensor, mask: Mask) -> Any:
        if self.fault == "changes the photo":
            overwrite(image)
        if self.fault == "changes the mask":
            mask.decision.fill_(1)
        return {**REFINED, **RAISES}.get(self.fault, lambda mask: mask)(mask)


# --- extractors -----------------------------------------------------------------------------------

MAPS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "None": lambda maps: None,
    "a list": lambda maps: list(maps.values()),
    "no layer": lambda maps: {},
}
CELLS: dict[str, Callable[[Tensor], Any]] = {
    "an array": lambda cells: cells.detach().float().numpy(),
    "half as many": lambda cells: cells[..., ::2],
    "one more": lambda cells: torch.cat([cells, cells[..., -1:]], dim=-1),
    "no batch": lambda cells: cells[0],
    "no channels": lambda cells: cells[:, :0],
    "no gradient": lambda cells: cells.detach(),
    "detached": lambda cells: cells.detach() * nn.Parameter(torch.ones(())),
    "NaN": punched,
    "whole numbers": lambda cells: (cells * 9).long(),
    "elsewhere": lambda cells: cells.to("meta"),
}


class BadExtractor(Bad, FeatureExtractor):
    def extract(self, images: Tensor, layers: Sequence[str]) -> Any:
        if self.fault == "changes the picture":
            images.mul_(0.5)
        cells = {"cells": PixelExtractor(stride=2), "fine": PixelExtractor(stride=1)}
        maps = {layer: cells[layer].extract(images, [layer])[layer] for layer in layers}
        if self.fault in CELLS:
            return {layer: CELLS[self.fault](cells) for layer, cells in maps.items()}
        return {**MAPS, **RAISES}.get(self.fault, lambda maps: maps)(maps)

    def to(self, device: torch.device, dtype: torch.dtype) -> Any:
        return {"to nothing": None, "to a number": 3}.get(self.fault, self)


# --- losses ---------------------------------------------------------------------------------------

VALUES: dict[str, Callable[[Tensor], Any]] = {
    "None": lambda value: None,
    "a float": lambda value: float(value.detach()),
    "a vector": lambda value: value[None],
    "no gradient": lambda value: value.detach(),
    "detached": lambda value: value.detach() * nn.Parameter(torch.ones(())),
    "a whole number": lambda value: value.long(),
    "elsewhere": lambda value: value.to("meta"),
    "NaN": lambda value: value * NAN,
    "infinite": lambda value: value / 0,
    "below 0": lambda value: -value - 1,
}


class BadLoss(Bad, Loss):
    """The mean square of a feature map, and of the picture: 0 for a black one."""

    def __init__(self, params: BadLossParams) -> None:
        super().__init__(params)
        self.extractor = params.extractor

    def prepare(self, targets: Targets) -> None:
        raise_where_told("prepare", self.fault)
        if self.fault == "prepare reads more":
            targets.styles[0].features(self.extractor, "fine")
        if self.fault == "prepare changes the photo":
            targets.content.image.mul_(0.5)
        if self.fault == "prepare changes a map":
            targets.content.features(self.extractor, "cells", raw=True).mul_(0.5)

    def __call__(self, view: View) -> Any:
        layer = {"reads another layer": "fine", "reads no layer": "none"}.get(self.fault, "cells")
        extractor = "other" if self.fault == "reads another extractor" else self.extractor
        image = view.image.mul_(0.5) if self.fault == "changes the picture" else view.image
        cells = view.features(extractor, layer)
        value = (view.mask(cells.shape[-2:]) * cells.square()).mean()
        value = value + (view.mask() * image.square()).mean()
        return {**VALUES, **RAISES}.get(self.fault, lambda value: value)(value)


class BadSums(Bad, SummedLoss):
    """The same, as sums over the cells of the feature map."""

    def __init__(self, params: BadLossParams) -> None:
        super().__init__(params)
        self.extractor = params.extractor

    def prepare(self, targets: Targets) -> None:
        reads = {self.extractor: ["fine" if self.fault == "summed reads more" else "cells"]}
        targets.styles[0].summed(self.sums, reads, "mean squares")

    def sums(self, view: View) -> Any:
        layer = "fine" if self.fault == "sums read more" else "cells"
        cells = view.features(self.extractor, layer)
        total = (view.mask(cells.shape[-2:]) * cells.square()).sum()
        found: dict[str, Any] = {
            "sums None": None,
            "sums a tensor": total,
            "sums a float": (float(total.detach()),),
            "sums detached": (total.detach(),),
        }
        return found.get(self.fault, (total,))

    def value(self, sums: tuple[Tensor, ...]) -> Any:
        value = sums[0] / 1e4
        changed = {**VALUES, **RAISES}.get(self.fault.removeprefix("value "), lambda value: value)
        return changed(value)


# --- rankers and mergers --------------------------------------------------------------------------

RATINGS: dict[str, Callable[..., Any]] = {
    "None": lambda: None,
    "a number": lambda: 3.0,
    "NaN": lambda: Rating(NAN),
    "infinite": lambda: Rating(float("inf")),
    "a tensor": lambda: Rating(torch.ones(())),
    "a figure of NaN": lambda: Rating(1.0, {"size": NAN}),
    "figures in a list": lambda: Rating(1.0, [1.0]),
}


class BadRanker(Bad, Ranker):
    def rate(self, content: View, style: View) -> Any:
        if self.fault == "changes the photo":
            content.image.mul_(0.5)
        content.features("bad", "fine" if self.fault == "reads another layer" else "cells")
        return {**RATINGS, **RAISES}.get(self.fault, lambda: Rating(1.0))()


PAINTED: dict[str, Callable[[Tensor], Any]] = {
    "paints None": lambda paints: None,
    "paints an array": lambda paints: paints.numpy(),
    "paints a half": lambda paints: paints / 2,
    "paints NaN": punched,
    "paints 255": lambda paints: paints * 255,
    "paints bool": lambda paints: paints > 0,
    "paints smaller": lambda paints: paints[:, 1:],
    "paints flat": lambda paints: paints[0],
    "paints raises": breaks,
    "paints exits": exits,
}
MERGED: dict[str, Callable[[Tensor], Any]] = {
    "None": lambda merged: None,
    "an array": lambda merged: merged.numpy(),
    "smaller": lambda merged: merged[:, 1:],
    "gray": lambda merged: merged[:1],
    "float64": lambda merged: merged.double(),
    "bytes": lambda merged: (merged * 255).byte(),
    "NaN": punched,
    "all NaN": lambda merged: merged * NAN,
    "up to 255": lambda merged: merged * 255,
    "from -1": lambda merged: merged * 2 - 1,
    "a pixel outside": lambda merged: punched(merged, 1.0),
    "brighter": lambda merged: (merged + 0.02).clamp(0, 1),
}


class BadMerger(Bad, Merger):
    def paints(self, mask: Mask) -> Any:
        if self.fault == "paints changes the mask":
            mask.decision.fill_(1)
        return PAINTED.get(self.fault, lambda paints: paints)(mask.decision)

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Any:
        merged = torch.where(mask.decision > 0, stylized, content)
        for name, tensor in {"photo": content, "painting": stylized, "mask": mask.decision}.items():
            if self.fault == f"changes the {name}":
                overwrite(tensor)
        return {**MERGED, **RAISES}.get(self.fault, lambda merged: merged)(merged)
