"""instyle: repaint one object of a photo in the style of a painting.

This module holds all that a plugin author imports. Names are resolved when they are first used, so
that importing it costs next to nothing: neither torch nor pydantic is loaded by ``import
instyle_core``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instyle_core.conversion import converted
    from instyle_core.errors import InputError, InstyleError, WeightsError
    from instyle_core.hookspecs import Plugin, hookimpl
    from instyle_core.hub import fetch_from_hub, hub_weights
    from instyle_core.images import read_mask, read_picture
    from instyle_core.interfaces import (
        ExtractorParams,
        FeatureExtractor,
        InputFile,
        Instance,
        LossParams,
        Mask,
        Merger,
        Params,
        Prompt,
        Ranker,
        RankerParams,
        Rating,
        Refiner,
        Segmentation,
        Segmenter,
        SegmenterParams,
    )
    from instyle_core.losses import Loss, SummedLoss, Targets, View
    from instyle_core.state_dicts import read_state_dict
    from instyle_core.weights import Weights, fetch

_HOME = {
    "converted": "conversion",
    "InputError": "errors",
    "InstyleError": "errors",
    "WeightsError": "errors",
    "Plugin": "hookspecs",
    "hookimpl": "hookspecs",
    "read_mask": "images",
    "read_picture": "images",
    "read_state_dict": "state_dicts",
    "ExtractorParams": "interfaces",
    "FeatureExtractor": "interfaces",
    "InputFile": "interfaces",
    "Instance": "interfaces",
    "Loss": "losses",
    "LossParams": "interfaces",
    "Mask": "interfaces",
    "Merger": "interfaces",
    "Params": "interfaces",
    "Prompt": "interfaces",
    "Ranker": "interfaces",
    "RankerParams": "interfaces",
    "Rating": "interfaces",
    "Refiner": "interfaces",
    "Segmentation": "interfaces",
    "Segmenter": "interfaces",
    "SegmenterParams": "interfaces",
    "SummedLoss": "losses",
    "Targets": "losses",
    "View": "losses",
    "Weights": "weights",
    "fetch": "weights",
    "fetch_from_hub": "hub",
    "hub_weights": "hub",
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
    "fetch",
    "fetch_from_hub",
    "hookimpl",
    "hub_weights",
    "read_mask",
    "read_picture",
    "read_state_dict",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"instyle_core.{_HOME[name]}"), name)
    raise AttributeError(f"module 'instyle_core' has no attribute {name!r}")
