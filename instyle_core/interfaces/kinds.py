"""The kinds of plugins: what the factory and the parameters of each must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import Loss
from instyle_core.interfaces.merger import Merger
from instyle_core.interfaces.params import ExtractorParams, LossParams, Params, RankerParams
from instyle_core.interfaces.ranker import Ranker
from instyle_core.interfaces.refiner import Refiner
from instyle_core.interfaces.segmenter import Segmenter

#: What the factory of each kind must make.
INTERFACES: Mapping[str, type[Any]] = {
    "segmenter": Segmenter,
    "refiner": Refiner,
    "extractor": FeatureExtractor,
    "loss": Loss,
    "ranker": Ranker,
    "merger": Merger,
}


#: What the parameters of each kind must be.
PARAMS: Mapping[str, type[Params]] = {
    "segmenter": Params,
    "refiner": Params,
    "extractor": ExtractorParams,
    "loss": LossParams,
    "ranker": RankerParams,
    "merger": Params,
}
