"""A refiner that finds nothing of the object leaves the mask as it was."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core import Mask, Refiner
from instyle_refiners.grabcut import GrabCutRefiner
from instyle_refiners.guided import GuidedRefiner
from instyle_refiners.matting import MattingRefiner
from instyle_refiners.params import GrabCutParams, GuidedParams, MattingParams
from tests.core.helpers.pictures import FEW

REFINERS = {
    "guided": GuidedRefiner(GuidedParams(radius=0.2, epsilon=1.0)),
    "grabcut": GrabCutRefiner(GrabCutParams()),
    "matting": MattingRefiner(MattingParams()),
}


def flat(height: int = 24, width: int = 30) -> torch.Tensor:
    return torch.full((3, height, width), 0.5)


def test_guided_does_not_lose_a_pixel_on_a_flat_photo() -> None:
    probability = torch.zeros(1, 24, 30)
    probability[0, 12, 15] = 1  # far below one half as the mean of any window
    mask = Mask(probability, probability.clone())
    assert REFINERS["guided"].refine(flat(), mask) is mask


def test_grabcut_does_not_lose_an_object_that_has_the_colors_around_it() -> None:
    probability = torch.full((1, 24, 30), 0.3)
    probability[0, 10:13, 14:17] = 0.6
    mask = Mask(probability, (probability > 0.5).float())
    assert REFINERS["grabcut"].refine(flat(), mask).decision.any()


@pytest.mark.parametrize("refiner", REFINERS.values(), ids=REFINERS)
@FEW
@given(seed=st.integers(0, 2**32), share=st.floats(0.001, 1), noise=st.floats(0, 0.5))
def test_a_pixel_at_least_is_left(refiner: Refiner, seed: int, share: float, noise: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    photo = (flat() + noise * torch.randn(3, 24, 30, generator=generator)).clamp(0, 1)
    probability = torch.rand(1, 24, 30, generator=generator)
    probability = torch.where(probability > share, probability * 0.4, 0.5 + probability / 2)
    probability[0, 3, 3] = 0.9
    refined = refiner.refine(photo, Mask(probability, (probability > 0.5).float()))
    assert refined.decision.any()
    assert torch.equal(refined.decision, refined.decision.round())
