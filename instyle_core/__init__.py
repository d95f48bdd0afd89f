"""instyle: repaint one object of a photo in the style of a painting.

This module holds all that a plugin author imports. Names are resolved when they are first used, so
that importing it costs next to nothing: neither torch nor pydantic is loaded by ``import
instyle_core``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instyle_core.errors import InputError, InstyleError, WeightsError, did_you_mean, first_line
    from instyle_core.images.picture import read_mask, read_picture
    from instyle_core.interfaces.extractor import FeatureExtractor
    from instyle_core.interfaces.input_files import InputFile
    from instyle_core.interfaces.loss import Loss, SummedLoss, Targets, View
    from instyle_core.interfaces.merger import Merger
    from instyle_core.interfaces.params import (
        ExtractorParams,
        LossParams,
        Params,
        RankerParams,
        SegmenterParams,
    )
    from instyle_core.interfaces.pictures import Mask
    from instyle_core.interfaces.ranker import Ranker, Rating
    from instyle_core.interfaces.refiner import Refiner
    from instyle_core.interfaces.segmenter import Instance, Prompt, Segmentation, Segmenter
    from instyle_core.plugin.hookspecs import Plugin, hookimpl
    from instyle_core.plugin.registry import register
    from instyle_core.weights.converted import converted
    from instyle_core.weights.fetch import fetch
    from instyle_core.weights.hub import fetch_from_hub, hub_weights
    from instyle_core.weights.record import Weights
    from instyle_core.weights.state_dict import read_state_dict

_HOME = {
    "converted": "weights.converted",
    "InputError": "errors",
    "InstyleError": "errors",
    "WeightsError": "errors",
    "did_you_mean": "errors",
    "first_line": "errors",
    "Plugin": "plugin.hookspecs",
    "hookimpl": "plugin.hookspecs",
    "register": "plugin.registry",
    "read_mask": "images.picture",
    "read_picture": "images.picture",
    "read_state_dict": "weights.state_dict",
    "ExtractorParams": "interfaces.params",
    "FeatureExtractor": "interfaces.extractor",
    "InputFile": "interfaces.input_files",
    "Instance": "interfaces.segmenter",
    "Loss": "interfaces.loss",
    "LossParams": "interfaces.params",
    "Mask": "interfaces.pictures",
    "Merger": "interfaces.merger",
    "Params": "interfaces.params",
    "Prompt": "interfaces.segmenter",
    "Ranker": "interfaces.ranker",
    "RankerParams": "interfaces.params",
    "Rating": "interfaces.ranker",
    "Refiner": "interfaces.refiner",
    "Segmentation": "interfaces.segmenter",
    "Segmenter": "interfaces.segmenter",
    "SegmenterParams": "interfaces.params",
    "SummedLoss": "interfaces.loss",
    "Targets": "interfaces.loss",
    "View": "interfaces.loss",
    "Weights": "weights.record",
    "fetch": "weights.fetch",
    "fetch_from_hub": "weights.hub",
    "hub_weights": "weights.hub",
}

__all__ = [
    "ExtractorParams",
    "FeatureExtractor",
    "InputError",
    "InputFile",
    "Instance",
    "InstyleError",
    "Loss",
    "LossParams",
    "Mask",
    "Merger",
    "Params",
    "Plugin",
    "Prompt",
    "Ranker",
    "RankerParams",
    "Rating",
    "Refiner",
    "Segmentation",
    "Segmenter",
    "SegmenterParams",
    "SummedLoss",
    "Targets",
    "View",
    "Weights",
    "WeightsError",
    "converted",
    "did_you_mean",
    "fetch",
    "fetch_from_hub",
    "first_line",
    "hookimpl",
    "hub_weights",
    "read_mask",
    "read_picture",
    "read_state_dict",
    "register",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"instyle_core.{_HOME[name]}"), name)
    raise AttributeError(f"module 'instyle_core' has no attribute {name!r}")
