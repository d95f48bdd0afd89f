"""The feature extractors of a run, loaded once for all objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from instyle_core.config.plan import Plan
from instyle_core.device import choose_tile
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.painting.style_cache import StyleCache


@dataclass(frozen=True)
class Networks:
    """The networks of a run, and how they are computed.

    Attributes:
        extractors: by their names in the spec.
        device: where to compute.
        precision: of the networks.
        params: the extractors' parameters, by the same names; they hold strides and reaches.
        tile: the side, in pixels, of the tiles that larger pictures are computed in; 0 for none.
        style_cache: keeps the sums of style pictures.
    """

    extractors: Mapping[str, FeatureExtractor]
    device: torch.device
    precision: torch.dtype
    params: Mapping[str, ExtractorParams]
    tile: int = 0
    style_cache: StyleCache | None = None


def load_networks(plan: Plan, device: torch.device, precision: torch.dtype) -> Networks:
    """Load the extractors of a plan. Their weights must have been downloaded.

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
