"""Pyramid blending, against the textbook's and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kornia.geometry.transform import build_laplacian_pyramid, build_pyramid, pyrup
from torch import Tensor

from instyle_core import Mask, testing
from instyle_mergers.hard import HardMerger
from instyle_mergers.multiband import MultibandMerger
from instyle_mergers.params import HardParams, MultibandParams


def painted(merger: MultibandMerger, content: Tensor, painting: Tensor, mask: Mask) -> Tensor:
    return torch.where(merger.paints(mask) > 0, painting, content)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_it_is_the_blend_of_two_pyramids(levels: int) -> None:
    """Both pictures taken apart, blended band by band and put together, on sides of 2^n."""
    mask = testing.disc(64, 128)
    content, painting = testing.picture(64, 128, seed=1), testing.picture(64, 128, seed=2)
    merger = MultibandMerger(MultibandParams(levels=levels))
    stylized = painted(merger, content, painting, mask)
    bands = [
        build_laplacian_pyramid(picture[None], levels + 1, "replicate")
        for picture in (content, stylized)
    ]
    opacities = build_pyramid(mask.decision[None], levels + 1, "replicate")
    blended = [(1 - g) * c + g * s for g, c, s in zip(opacities, *bands, strict=True)]
    whole = blended.pop()
    while blended:
        whole = blended.pop() + pyrup(whole, "replicate")
    expected = torch.where(merger.paints(mask) > 0, whole[0], content)
    torch.testing.assert_close(merger.merge(content, stylized, mask), expected, atol=4e-6, rtol=0)


@pytest.mark.parametrize("size", [(30, 41), (5, 3), (1, 9)])
def test_a_constant_change_is_blended_by_the_coarsest_mask(size: tuple[int, int]) -> None:
    """Any size: a change without structure has no band but the coarsest, all of it in the mask."""
    content = torch.full((3, *size), 0.25)
    everything = torch.ones(1, *size)
    merged = MultibandMerger(MultibandParams(levels=3)).merge(
        content, content + 0.5, Mask(everything, everything)
    )
    torch.testing.assert_close(merged, content + 0.5, atol=1e-6, rtol=0)


def test_no_levels_is_the_hard_merger() -> None:
    mask = testing.disc(48, 40)
    content, painting = testing.picture(48, 40, seed=1), testing.picture(48, 40, seed=2)
    merger = MultibandMerger(MultibandParams(levels=0))
    stylized = painted(merger, content, painting, mask)
    expected = HardMerger(HardParams()).merge(content, stylized, mask)
    torch.testing.assert_close(merger.merge(content, stylized, mask), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_band_holds_all_that_can_be_seen(levels: int) -> None:
    """At its rim, black painted on white would be seen at less than a twentieth of its strength."""
    decision = (torch.arange(256) >= 128).float().expand(1, 64, 256).contiguous()
    mask = Mask(decision, decision)
    merger = MultibandMerger(MultibandParams(levels=levels))
    content = torch.ones(3, 64, 256)
    row = merger.merge(content, painted(merger, content, content * 0, mask), mask)[0, 32]
    assert int((row != 1).sum()) <= 128 + 2 ** (levels + 1)
    assert 1 - float(row[128 - 2 ** (levels + 1)]) < 0.05


def test_fine_structure_is_blended_over_less_than_coarse() -> None:
    """Stripes of 2 pixels reach less far over the boundary than an even change does."""
    x = torch.arange(256)
    decision = (x >= 128).float().expand(1, 64, 256).contiguous()
    mask = Mask(decision, decision)
    content = torch.full((3, 64, 256), 0.5)
    merger = MultibandMerger(MultibandParams(levels=4))
    reach = {}
    for name, change in {
        "fine": 0.4 * torch.cos(math.pi * x),
        "coarse": torch.full((256,), 0.4),
    }.items():
        merged = merger.merge(content, painted(merger, content, content + change, mask), mask)
        strength = (merged - content)[0, 32].abs() / 0.4
        reach[name] = float(strength[:128].sum())
    assert reach["fine"] < 1 < reach["coarse"]


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.integers(0, 10**6),
    st.integers(0, 8),
)
def test_any_mask(inside: np.ndarray, seed: int, levels: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    decision = torch.from_numpy(inside)[None].float()
    mask = Mask(decision, decision)
    content, painting = torch.rand(2, 3, *inside.shape, generator=generator)
    merger = MultibandMerger(MultibandParams(levels=levels))
    merged = merger.merge(content, painted(merger, content, painting, mask), mask)
    kept = (merger.paints(mask) == 0).expand_as(content)
    assert torch.equal(merged[kept], content[kept])
    assert 0 <= float(merged.min()) <= float(merged.max()) <= 1
    assert torch.equal(merger.merge(content, content.clone(), mask), content)
