"""Every merger with a soft mask: the painting shows by alpha, and no more than that."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import instyle_mergers
from instyle_core import Mask, Merger, testing

NAMES = ("hard", "feather", "multiband", "mrf")
REGISTRY = testing.registry(instyle_mergers)


@pytest.fixture(params=NAMES)
def merger(request: pytest.FixtureRequest) -> Merger:
    plugin = REGISTRY.find("merger", request.param)
    made = plugin.load()(plugin.params())
    assert isinstance(made, Merger)
    return made


def soft_mask(height: int = 60, width: int = 70) -> Mask:
    hard = testing.disc(height, width, radius=0.25).decision
    alpha = F.avg_pool2d(hard[None], 11, 1, 5)[0]
    return Mask(alpha, (alpha >= 0.5).float(), alpha)


def flat(*rgb: float) -> Tensor:
    return torch.tensor(rgb)[:, None, None].expand(3, 60, 70).contiguous()


def test_all_that_has_any_of_the_object_s_color_is_painted(merger: Merger) -> None:
    mask = soft_mask()
    assert mask.alpha is not None
    assert (merger.paints(mask)[mask.alpha > 1 / 255] == 1).all()
    assert merger.paints(mask).mean() < 1


def test_pixels_without_any_are_the_photo_s(merger: Merger) -> None:
    mask = soft_mask()
    content = testing.picture(60, 70, seed=1)
    stylized = torch.where(merger.paints(mask) > 0, testing.picture(60, 70, seed=2), content)
    merged = merger.merge(content, stylized, mask)
    outside = (merger.paints(mask) == 0).expand_as(content)
    assert torch.equal(merged[outside], content[outside])


@pytest.mark.parametrize("merger", ["hard", "feather", "mrf"], indirect=True)
def test_flat_pictures_are_blended_by_alpha(merger: Merger) -> None:
    mask, content, stylized = soft_mask(), flat(0.2, 0.3, 0.4), flat(0.9, 0.1, 0.6)
    assert mask.alpha is not None
    expected = mask.alpha * stylized + (1 - mask.alpha) * content
    torch.testing.assert_close(merger.merge(content, stylized, mask), expected)


def test_a_sharp_alpha_of_one_band_is_a_hard_edge() -> None:
    """`multiband` with no coarser level blends by alpha alone."""
    params = REGISTRY.find("merger", "multiband").params
    merger = REGISTRY.find("merger", "multiband").load()(params(levels=0))
    mask, content, stylized = soft_mask(), flat(0.2, 0.3, 0.4), flat(0.9, 0.1, 0.6)
    assert mask.alpha is not None
    expected = mask.alpha * stylized + (1 - mask.alpha) * content
    torch.testing.assert_close(merger.merge(content, stylized, mask), expected)


def test_an_alpha_of_0_and_1_is_the_decision() -> None:
    """`hard` gives the same picture, to the last bit."""
    mask = testing.disc(60, 70)
    merger = REGISTRY.find("merger", "hard").load()(None)
    content, stylized = testing.picture(60, 70, seed=1), testing.picture(60, 70, seed=2)
    with_alpha = Mask(mask.probability, mask.decision, mask.decision)
    assert torch.equal(merger.paints(with_alpha), merger.paints(mask))
    assert torch.equal(
        merger.merge(content, stylized, with_alpha), merger.merge(content, stylized, mask)
    )
