"""The refiner ``grabcut``: what it keeps, and that it always gives the same mask."""

from __future__ import annotations

import torch

from instyle_core import Mask, testing
from instyle_refiners.grabcut import GrabCutRefiner
from instyle_refiners.params import GrabCutParams
from tests.plugins.instyle_refiners.scenes import blurred_off, iou, scene


def test_it_leaves_what_is_sure() -> None:
    photo, true = scene(120)
    sure = torch.where(torch.roll(true, 20, dims=2) > 0, 0.95, 0.05)  # wrong, but sure of it
    mask = Mask(sure, (sure > 0.5).float())
    refined = GrabCutRefiner(GrabCutParams(sure=0.9)).refine(photo, mask)
    assert torch.equal(refined.decision, mask.decision)
    assert iou(refined.decision, true) < 0.7


def test_it_does_not_depend_on_what_was_drawn_before() -> None:
    photo, true = scene(120)
    coarse = blurred_off(true, blur=4, shift=3)
    refiner = GrabCutRefiner(GrabCutParams())
    first = refiner.refine(photo, coarse)
    refiner.refine(testing.picture(80, 80), testing.disc(80, 80))
    assert torch.equal(refiner.refine(photo, coarse).probability, first.probability)
