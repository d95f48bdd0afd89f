"""The refiner ``matting``: what its trimap knows, and what the mask has afterward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from instyle_core import Mask, testing
from instyle_refiners.closed_form import UNKNOWN
from instyle_refiners.matting import MattingRefiner
from instyle_refiners.params import MattingParams
from tests.plugins.instyle_refiners.scenes import blurred_off, scene

REFINER = MattingRefiner(MattingParams())


def soft_disc(side: int, softness: int) -> torch.Tensor:
    """A disc out of focus, (1, side, side)."""
    hard = testing.disc(side, side).decision
    return F.avg_pool2d(hard[None], 2 * softness + 1, 1, softness, count_include_pad=False)[0]


def mixed(alpha: torch.Tensor) -> torch.Tensor:
    front, back = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.2, 0.6, 0.3])
    return alpha * front[:, None, None] + (1 - alpha) * back[:, None, None]


@pytest.mark.parametrize("side", [90, 200, 900])
def test_the_opacity_of_a_blurred_edge_is_found(side: int) -> None:
    true = soft_disc(side, side // 30)
    coarse = blurred_off((true >= 0.5).float(), blur=side // 25, shift=side // 60)
    found = REFINER.refine(mixed(true), coarse)
    assert found.alpha is not None
    assert torch.equal(found.alpha, found.probability)
    assert torch.equal(found.decision, (found.alpha >= 0.5).float())
    before = float((coarse.probability - true).square().mean())
    assert before > 1e-3
    assert float((found.alpha - true).square().mean()) < 0.1 * before


def test_sure_pixels_far_from_the_edge_stay() -> None:
    photo, true = scene(120)
    coarse = blurred_off(true, blur=3, shift=2)
    found = REFINER.refine(photo, coarse)
    trimap = REFINER._trimap(coarse.probability[0].numpy(), coarse.decision[0].numpy())
    assert (trimap == 0).any()
    assert (trimap == 1).any()
    for value in (0, 1):
        assert (found.probability[0].numpy()[trimap == value] == value).all()


@pytest.mark.parametrize("size", [(60, 80), (1200, 900)], ids=str)
def test_something_is_known_of_a_thin_part(size: tuple[int, int]) -> None:
    """A leg that is thinner than the band is known in its middle, and the gap beside it too."""
    height, width = size
    decision = torch.zeros(1, height, width)
    decision[:, : height // 2] = 1
    decision[:, :, width // 3 : width // 3 + width // 8] = 1
    trimap = REFINER._trimap(decision[0].numpy(), decision[0].numpy())
    leg = trimap[-height // 8, width // 3 : width // 3 + width // 8]
    assert (leg == 1).any()
    assert (leg == UNKNOWN).any()
    assert set(np.unique(trimap)) == {0, UNKNOWN, 1}


def test_the_band_is_a_fraction_of_the_object_s_size() -> None:
    mask = testing.disc(200, 200, radius=0.25).decision  # 50 pixels: its size is 89 pixels
    trimap = MattingRefiner(MattingParams(band=0.1))._trimap(mask[0].numpy(), mask[0].numpy())
    outside = (trimap[100] == UNKNOWN)[150:].sum()
    assert outside == pytest.approx(0.1 * np.sqrt(np.pi) * 50, abs=1.5)


def test_where_the_segmenter_is_unsure_is_decided_anew() -> None:
    probability = np.full((40, 40), 0.99, np.float32)
    probability[:, 20:] = 0.01
    probability[3:6, 3:6] = 0.6
    decision = (probability > 0.5).astype(np.float32)
    for sure, value in ((0.7, UNKNOWN), (0.55, 1)):
        refiner = MattingRefiner(MattingParams(sure=sure, band=0.01))
        assert refiner._trimap(probability, decision)[4, 4] == value


def test_without_anything_known_the_mask_stays() -> None:
    probability = torch.full((1, 20, 20), 0.55)
    mask = Mask(probability, torch.ones(1, 20, 20))
    assert REFINER.refine(testing.picture(20, 20), mask) is mask
