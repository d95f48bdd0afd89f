"""The package as a whole: its record, and how it orders pictures with the network that it reads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import instyle_rankers
from instyle_core import FeatureExtractor, Rating, testing
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_rankers.affinity import AffinityRanker
from instyle_rankers.params import AffinityParams
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19


def test_it_is_announced() -> None:
    registry = testing.registry(instyle_rankers)
    assert not registry.failures
    assert registry.find("ranker", "affinity").load() is AffinityRanker


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
