"""The ranker ``affinity``, and how it orders pictures with the network that it is used with."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

import instyle_rankers
from instyle_core import FeatureExtractor, Rating, testing
from instyle_core.painting.features import FeatureStack, MaskPyramid
from instyle_rankers.affinity import AffinityRanker
from instyle_rankers.color import color_distance
from instyle_rankers.features import feature_distance
from instyle_rankers.params import AffinityParams
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19


def test_it_is_announced() -> None:
    registry = testing.registry(instyle_rankers)
    assert not registry.failures
    assert registry.find("ranker", "affinity").load() is AffinityRanker


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


def test_what_it_reads() -> None:
    assert AffinityParams().reads() == {"vgg19": ("relu3_1", "relu4_1")}
    assert AffinityParams(extractor="mine", layers=("x",)).reads() == {"mine": ("x",)}
    assert AffinityParams(features=0).reads() == {}
    with pytest.raises(ValidationError, match="both weights are 0"):
        AffinityParams(features=0, color=0)


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


# --- with the network -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack() -> FeatureStack:
    network: FeatureExtractor = VGG19(VGG19Params())
    return FeatureStack({"vgg19": network}, [AffinityParams().reads()], torch.device("cpu"))


def score(stack: FeatureStack, photo: Tensor, style: Tensor) -> Rating:
    with torch.no_grad():
        content, other = (
            stack.view(image[None], MaskPyramid(torch.ones(1, 1, *image.shape[1:])))
            for image in (photo, style)
        )
        return AffinityRanker(AffinityParams()).rate(content, other)


def stripes(period: int, light: tuple[float, ...], dark: tuple[float, ...]) -> Tensor:
    """Diagonal stripes, (3, 96, 96)."""
    position = torch.arange(96)[:, None] + torch.arange(96)[None, :]
    wave = 0.5 + 0.5 * torch.sin(2 * torch.pi * position / period)
    ends = torch.tensor(light), torch.tensor(dark)
    return ends[1][:, None, None] + (ends[0] - ends[1])[:, None, None] * wave


ORANGE, BROWN = (0.9, 0.6, 0.2), (0.3, 0.15, 0.05)
WHITE, NAVY = (0.9, 0.95, 1.0), (0.0, 0.1, 0.4)


def test_the_picture_itself_suits_best(stack: FeatureStack) -> None:
    photo = stripes(12, ORANGE, BROWN)
    itself = score(stack, photo, photo)
    assert itself.score == pytest.approx(0, abs=1e-3)
    others = [stripes(12, WHITE, NAVY), stripes(48, ORANGE, BROWN), testing.picture(96, 96)]
    assert min(score(stack, photo, other).score for other in others) > 0.1


def test_each_figure_tells_its_own(stack: FeatureStack) -> None:
    """Other colors in the same texture, and the same colors in another texture."""
    photo = stripes(12, ORANGE, BROWN)
    recolored = score(stack, photo, stripes(12, WHITE, NAVY)).figures
    pixels = photo.flatten(1)[:, torch.randperm(96 * 96, generator=torch.manual_seed(0))]
    shuffled = score(stack, photo, pixels.reshape(photo.shape)).figures
    assert shuffled["color"] == pytest.approx(0, abs=1e-3)
    assert recolored["color"] > 30
    assert shuffled["features"] > 1.5 * recolored["features"]


def test_a_slight_shift_of_color_costs_less_than_a_large_one(stack: FeatureStack) -> None:
    photo = stripes(12, ORANGE, BROWN)
    order = [score(stack, photo, (photo + step).clamp(0, 1)).score for step in (0.02, 0.08, 0.3)]
    assert order == sorted(order)


def test_where_things_are_does_not_count(stack: FeatureStack) -> None:
    photo = stripes(12, ORANGE, BROWN)
    style = F.interpolate(testing.picture(24, 24, seed=3)[None], (96, 96), mode="bilinear")[0]
    moved = torch.roll(style, 48, dims=2)
    plain, rolled = (score(stack, photo, picture).score for picture in (style, moved))
    assert rolled == pytest.approx(plain, rel=0.05)
