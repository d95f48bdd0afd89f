"""The feathered seam, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from instyle_core import Mask, testing
from instyle_mergers.feather import FeatherMerger, signed_distance
from instyle_mergers.hard import HardMerger
from instyle_mergers.params import FeatherParams, HardParams

BLACK, WHITE = torch.zeros(3, 100, 120), torch.ones(3, 100, 120)


def opacity(decision: Tensor, **params: object) -> Tensor:
    """White painted on black shows the opacity itself: (1, H, W)."""
    merger = FeatherMerger(FeatherParams.model_validate(params))
    black = torch.zeros(3, *decision.shape[1:])
    return merger.merge(black, black + 1, Mask(decision, decision))[:1]


def half_plane(edge: int) -> Tensor:
    """The object is to the right; the boundary is at x = edge - 1/2, between pixel centers."""
    return (torch.arange(120) >= edge).float().expand(1, 100, 120).contiguous()


def smoothstep(t: Tensor) -> Tensor:
    t = t.clamp(0, 1)
    return 3 * t**2 - 2 * t**3


# --- distance -------------------------------------------------------------------------------------


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_distance_is_the_brute_force_one(inside: np.ndarray) -> None:
    actual = signed_distance(torch.from_numpy(inside)[None].float())[0]
    if inside.all() or not inside.any():  # there is no boundary
        assert (actual * (1 if inside.all() else -1) > 1e4).all()
        return
    for y, x in np.ndindex(inside.shape):
        others = np.argwhere(inside != inside[y, x])
        nearest = np.sqrt(((others - (y, x)) ** 2).sum(axis=1)).min()
        expected = nearest - 0.5 if inside[y, x] else 0.5 - nearest
        assert float(actual[y, x]) == pytest.approx(expected, abs=1e-4)


# --- opacity --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 6, 7.5, 50])
def test_profile_across_a_straight_edge(width: float) -> None:
    distance = torch.arange(120) - 59.5
    expected = smoothstep(0.5 + distance / width).expand(1, 100, 120)
    torch.testing.assert_close(opacity(half_plane(60), width=width), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("width", [2, 6, 20])
def test_the_object_neither_grows_nor_shrinks(width: float) -> None:
    disc = testing.disc(200, 200, radius=0.3)
    area = math.pi * 60**2
    assert float(opacity(disc.decision, width=width).sum()) == pytest.approx(area, rel=0.01)


def test_profile_of_a_disc() -> None:
    y, x = torch.meshgrid(torch.arange(200) - 99.5, torch.arange(200) - 99.5, indexing="ij")
    distance = 60 - (x**2 + y**2).sqrt()
    expected = smoothstep(0.5 + distance / 20)[None]
    actual = opacity((distance > 0).float()[None], width=20)
    # A pixel's center is up to 1/2 off the true circle along an axis, where the slope is 1.5 / 20.
    assert float((actual - expected).abs().max()) < 0.5 * math.sqrt(2) * 1.5 / 20
    assert float((actual - expected).mean()) == pytest.approx(0, abs=2e-3)


def test_no_glow() -> None:
    """From photo to painting there is nothing but more and more painting."""
    row = opacity(half_plane(60), width=12)[0, 50]
    assert (row.diff() >= 0).all()
    assert float(row[:50].max()) == 0
    assert float(row[70:].min()) == 1


def test_width_zero_is_the_hard_merger() -> None:
    content, stylized = testing.picture(48, 40, seed=1), testing.picture(48, 40, seed=2)
    mask = testing.disc(48, 40)
    soft, hard = FeatherMerger(FeatherParams(width=0)), HardMerger(HardParams())
    assert torch.equal(soft.paints(mask), hard.paints(mask))
    expected = hard.merge(content, stylized, mask)
    assert torch.equal(soft.merge(content, stylized, mask), expected)


def test_the_band_outside_is_painted_and_no_more() -> None:
    mask = Mask(half_plane(60), half_plane(60))
    paints = FeatherMerger(FeatherParams(width=10)).paints(mask)
    assert torch.equal(paints, half_plane(55))


def test_pixels_away_from_the_boundary_are_copies() -> None:
    content, stylized = testing.picture(48, 40, seed=1), testing.picture(48, 40, seed=2)
    mask = testing.disc(48, 40)
    merged = FeatherMerger(FeatherParams(width=6)).merge(content, stylized, mask)
    distance = signed_distance(mask.decision).expand_as(content)
    assert torch.equal(merged[distance >= 3], stylized[distance >= 3])
    assert torch.equal(merged[distance <= -3], content[distance <= -3])


def test_the_border_of_the_picture_is_no_boundary() -> None:
    alpha = opacity(half_plane(60), width=20)
    assert torch.equal(alpha, alpha[:, :1].expand_as(alpha))  # the same in the first row as in all
    assert bool((alpha[..., -1] == 1).all())


def test_a_crop_that_holds_the_band_gives_the_same() -> None:
    """The core merges on a crop, and asks `paints` about the whole picture."""
    decision = testing.disc(100, 120).decision
    whole = opacity(decision, width=16)
    crop = opacity(decision[:, 8:92, 18:102], width=16)
    torch.testing.assert_close(crop, whole[:, 8:92, 18:102], atol=1e-6, rtol=0)


# --- a matte of one's own -------------------------------------------------------------------------


def test_probability_is_the_opacity() -> None:
    soft = testing.picture(100, 120)[:1]
    mask = Mask(soft, (soft >= 0.5).float())
    merged = FeatherMerger(FeatherParams(matte="probability")).merge(BLACK, WHITE, mask)
    torch.testing.assert_close(merged[:1], soft, atol=0.5 / 255 + 1e-6, rtol=0)


def test_traces_of_probability_are_not_painted() -> None:
    soft = torch.tensor([0.0, 1e-4, 1.9e-3, 2.1e-3, 0.999]).view(1, 1, 5)
    merger = FeatherMerger(FeatherParams(matte="probability"))
    mask = Mask(soft, (soft >= 0.5).float())
    assert merger.paints(mask).flatten().tolist() == [0, 0, 0, 1, 1]
    merged = merger.merge(torch.zeros(3, 1, 5), torch.ones(3, 1, 5), mask)
    assert merged[0, 0].tolist() == pytest.approx([0, 0, 0, 1 / 255, 1])
