"""What holds for all refiners, and for the records of the package."""

from __future__ import annotations

import pytest
import torch

import instyle_refiners
from instyle_core import Mask, Refiner, testing
from instyle_refiners.grabcut import GrabCutRefiner
from instyle_refiners.guided import GuidedRefiner
from instyle_refiners.matting import MattingRefiner
from instyle_refiners.params import GrabCutParams, GuidedParams, MattingParams
from tests.plugins.instyle_refiners.scenes import blurred_off, iou, scene

REFINERS = [
    GuidedRefiner(GuidedParams()),
    GrabCutRefiner(GrabCutParams()),
    MattingRefiner(MattingParams()),
]
EACH = pytest.mark.parametrize("refiner", REFINERS, ids=["guided", "grabcut", "matting"])


def test_they_are_announced() -> None:
    registry = testing.registry(instyle_refiners)
    names = [entry.plugin.name for entry in registry.entries("refiner")]
    assert names == ["grabcut", "guided", "matting"]
    assert not registry.failures


@EACH
def test_contract(refiner: Refiner) -> None:
    testing.check_refiner(refiner)


@pytest.mark.parametrize(("refiner", "left"), list(zip(REFINERS, (0.6, 0.2, 0.2), strict=True)))
@pytest.mark.parametrize("size", [120, 700])
def test_the_mask_comes_to_follow_the_edge(refiner: Refiner, left: float, size: int) -> None:
    photo, true = scene(size)
    coarse = blurred_off(true, blur=size // 60, shift=size // 60)
    refined = refiner.refine(photo, coarse)
    before = 1 - iou(coarse.decision, true)
    assert before > 0.04
    assert 1 - iou(refined.decision, true) < left * before


@pytest.mark.parametrize(("refiner", "same"), list(zip(REFINERS, (0.9, 0.9, 0.75), strict=True)))
def test_a_mask_without_an_edge_nearby_stays(refiner: Refiner, same: float) -> None:
    """More or less: `matting` makes a wide ramp of it, whose middle lies farther in."""
    photo = torch.full((3, 90, 120), 0.5)
    mask = blurred_off(testing.disc(90, 120).decision, blur=2, shift=0)
    assert iou(refiner.refine(photo, mask).decision, mask.decision) > same


@EACH
@pytest.mark.parametrize("size", [(1, 1), (2, 90), (90, 3), (5, 5)], ids=str)
def test_pictures_smaller_than_the_filter(refiner: Refiner, size: tuple[int, int]) -> None:
    ones = torch.ones(1, *size)
    refined = refiner.refine(testing.picture(*size), Mask(ones, ones))
    assert refined.probability.shape == (1, *size)
    assert refined.decision.all()
