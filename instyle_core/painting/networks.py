"""The networks of a run: feature extractors, loaded once for all objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from instyle_core.config.plan import Plan
from instyle_core.device import choose_tile
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.painting.style_cache import StyleCache


@dataclass(frozen=True)
class Networks:
    """What all objects of a run share.

    Attributes:
        extractors: by the names that losses know them by.
        device: where to compute.
        precision: of the networks.
        params: their parameters, by the same names, which tell how to cut pictures into tiles.
        tile: the side of the tiles, in pixels, that larger pictures are computed in; 0 for never.
        style_cache: keeps the sums of style pictures.
    """

    extractors: Mapping[str, FeatureExtractor]
    device: torch.device
    precision: torch.dtype
    params: Mapping[str, ExtractorParams] = field(default_factory=dict)
    tile: int = 0
    style_cache: StyleCache | None = None


def load_networks(plan: Plan, device: torch.device, precision: torch.dtype) -> Networks:
    """Load the extractors of a plan, whose weights are there.

    Raises:
        WeightsError: weights cannot be read.
    """
    extractors: dict[str, FeatureExtractor] = {
        name: use.create().to(device, torch.float32) for name, use in plan.extractors.items()
    }
    params = {
        name: use.params
        for name, use in plan.extractors.items()
        if isinstance(use.params, ExtractorParams)
    }
    tile = choose_tile(plan.spec.tile, device, precision)
    cache = StyleCache(plan.extractors, [device.type, str(precision), f"tiles of {tile}"])
    return Networks(extractors, device, precision, params, tile, cache)
