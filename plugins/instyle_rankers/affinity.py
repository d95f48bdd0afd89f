"""The ranker ``affinity``."""

from __future__ import annotations

from instyle_core import Ranker, Rating, View
from instyle_rankers.color import color_distance
from instyle_rankers.features import feature_distance
from instyle_rankers.params import AffinityParams


class AffinityRanker(Ranker):
    """Prefers a style picture whose features and colors are like the object's.

    ``score = a d + b W`` with the mean d of `feature_distance` over the layers, W of
    `color_distance`, and the weights a (``features``) and b (``color``).
    """

    def __init__(self, params: AffinityParams) -> None:
        self._params = params

    def rate(self, content: View, style: View) -> Rating:
        """See `instyle_core.Ranker`; a distance whose weight is 0 is not computed."""
        params = self._params
        figures: dict[str, float] = {}
        if params.features:
            distances = [self._distance(content, style, layer) for layer in params.layers]
            figures["features"] = sum(distances) / len(distances)
        if params.color:
            figures["color"] = color_distance(content.image, content.mask(), style.image)
        weights = {"features": params.features, "color": params.color}
        return Rating(sum(weights[name] * value for name, value in figures.items()), figures)

    def _distance(self, content: View, style: View, layer: str) -> float:
        maps = content.features(self._params.extractor, layer)
        others = style.features(self._params.extractor, layer)
        return feature_distance(maps, content.mask(maps.shape[-2:]), others)
