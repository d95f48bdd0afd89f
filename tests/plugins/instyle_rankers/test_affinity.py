"""The ranker ``affinity``: its score out of the two distances."""

from __future__ import annotations

import pytest
import torch

from instyle_core import Rating, testing
from instyle_rankers.affinity import AffinityRanker
from instyle_rankers.color import color_distance
from instyle_rankers.features import feature_distance
from instyle_rankers.params import AffinityParams


@pytest.mark.parametrize(
    "params",
    [
        AffinityParams(),
        AffinityParams(layers=("a",), color=0),
        AffinityParams(extractor="mine", features=0),
    ],
)
def test_contract(params: AffinityParams) -> None:
    testing.check_ranker(AffinityRanker, params, reach=0)


def rate(params: AffinityParams) -> Rating:
    photo, style = testing.picture(seed=1), testing.picture(24, 32, seed=2)
    content = testing.view(photo, testing.disc().decision, params)
    other = testing.view(style, torch.ones_like(style[:1]), params)
    return AffinityRanker(params).rate(content, other)


def test_the_score_is_the_weighted_sum_of_the_figures() -> None:
    photo, style = testing.picture(seed=1), testing.picture(24, 32, seed=2)
    params = AffinityParams(layers=("a", "b"), features=2, color=0.25)
    content = testing.view(photo, testing.disc().decision, params)
    other = testing.view(style, torch.ones_like(style[:1]), params)
    features = [
        feature_distance(
            content.features("vgg19", layer),
            content.mask((16, 16)),
            other.features("vgg19", layer),
        )
        for layer in ("a", "b")
    ]
    color = color_distance(photo[None], testing.disc().decision[None], style[None])
    rating = rate(params)
    assert rating.figures["features"] == pytest.approx(sum(features) / 2)
    assert rating.figures["color"] == pytest.approx(color)
    assert rating.score == pytest.approx(2 * sum(features) / 2 + 0.25 * color)


def test_a_weight_of_zero_leaves_its_figure_out() -> None:
    assert list(rate(AffinityParams(color=0)).figures) == ["features"]
    assert list(rate(AffinityParams(features=0)).figures) == ["color"]
