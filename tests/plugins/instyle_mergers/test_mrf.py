"""The seam of least energy: closed forms, and every seam there is on a small picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from torch import Tensor

from instyle_core import Mask, testing
from instyle_mergers.feather import FeatherMerger, signed_distance
from instyle_mergers.hard import HardMerger
from instyle_mergers.mrf import MRFMerger
from instyle_mergers.params import FeatherParams, HardParams, MRFParams


def half_plane(height: int, width: int, edge: int) -> Mask:
    """The object is to the right, from column `edge` on."""
    decision = (torch.arange(width) >= edge).float().expand(1, height, width).contiguous()
    return Mask(decision, decision)


def painted(merger: MRFMerger, content: Tensor, painting: Tensor, mask: Mask) -> Tensor:
    return torch.where(merger.paints(mask) > 0, painting, content)


# --- energy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_no_seam_is_better(seed: int) -> None:
    """4x8 pixels, of which the 16 that are nearest to the boundary are free."""
    rng = np.random.default_rng(seed)
    smoothness = float(rng.choice([0.5, 2.0, 5.0]))
    decision = half_plane(4, 8, 4).decision
    probability = torch.from_numpy(rng.random((1, 4, 8), dtype=np.float32))
    mask = Mask(probability, decision)
    content, painting = (torch.from_numpy(rng.random((3, 4, 8), np.float32)) for _ in range(2))
    merger = MRFMerger(MRFParams(smoothness=smoothness))
    stylized = painted(merger, content, painting, mask)
    found = merger.labels(content, stylized, mask)[0].numpy() > 0

    free = [(y, x) for y in range(4) for x in range(2, 6)]
    number = {place: index for index, place in enumerate(free)}
    every = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).astype(bool)

    def label(place: tuple[int, int]) -> np.ndarray:
        fixed = np.full(len(every), place[1] >= 4)
        return every[:, number[place]] if place in number else fixed

    energies = np.zeros(len(every))
    for y, x in free:
        p = min(max(float(probability[0, y, x]), 0.05), 0.95)
        odds = (math.log(p / (1 - p)) + (x - 3.5) / 1.5) / 2
        pool = 1 / (1 + math.exp(-odds))
        energies -= np.where(label((y, x)), math.log(pool), math.log(1 - pool))
    c, s = (picture.double().numpy() for picture in (content, stylized))
    smooth = gaussian_filter(c, 1, mode="mirror", axes=(1, 2))
    inside = (np.arange(8) > 0).astype(float) * np.ones((4, 1))  # nearer than 3 pixels
    total = gaussian_filter((s - c) * inside, 2, mode="constant", axes=(1, 2))
    differ = np.linalg.norm(total, axis=0) / gaussian_filter(inside, 2, mode="constant")
    pairs = [
        ((y, x), (y + dy, x + dx))
        for y, x in np.ndindex(4, 8)
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1))
        if y + dy < 4 and 0 <= x + dx < 8
    ]
    contrasts = [
        math.dist(smooth[:, *one], smooth[:, *other]) ** 2
        for one, other in pairs
        for place in (one, other)
        if place in number
    ]
    variance = sum(contrasts) / len(contrasts)
    for one, other in pairs:
        if one in number or other in number:
            match = differ[one] + differ[other] + 0.3
            edge = math.exp(-(math.dist(smooth[:, *one], smooth[:, *other]) ** 2) / (2 * variance))
            energies += (label(one) != label(other)) * (
                smoothness * match * edge / math.dist(one, other)
            )
    where = (every == [found[place] for place in free]).all(axis=1)
    assert float(energies[where][0]) == pytest.approx(float(energies.min()), rel=1e-5)
    rest = [place for place in np.ndindex(4, 8) if place not in number]
    assert all(found[place] == (place[1] >= 4) for place in rest)


# --- where the seam runs --------------------------------------------------------------------------


@pytest.mark.parametrize("column", [27, 29, 32, 33])
def test_along_the_column_where_both_agree(column: int) -> None:
    mask = half_plane(40, 60, 30)
    merger = MRFMerger(MRFParams(band=0.2, smoothness=50))
    content = testing.picture(40, 60) * 0.2
    painting = content + 0.7
    painting[..., column - 1 : column + 1] = content[..., column - 1 : column + 1]
    labels = merger.labels(content, painted(merger, content, painting, mask), mask)
    assert torch.equal(labels, half_plane(40, 60, column).decision)


@pytest.mark.parametrize("column", [27, 29, 32, 33])
def test_along_the_edge_of_the_photo(column: int) -> None:
    """The mask is off by up to 3 pixels; photo and painting differ as much everywhere."""
    mask = half_plane(40, 60, 30)
    merger = MRFMerger(MRFParams(band=0.2, smoothness=50))
    content = torch.where(torch.arange(60) >= column, 0.5, 0.2).expand(3, 40, 60)
    labels = merger.labels(content, painted(merger, content, content + 0.4, mask), mask)
    assert torch.equal(labels, half_plane(40, 60, column).decision)


@pytest.mark.parametrize("radius", [0.1, 0.3, 0.45])
def test_no_smoothness_keeps_to_the_mask(radius: float) -> None:
    mask = testing.disc(64, 64, radius=radius)
    content, painting = testing.picture(64, 64, seed=1), testing.picture(64, 64, seed=2)
    labels = MRFMerger(MRFParams(smoothness=0)).labels(content, painting, mask)
    assert torch.equal(labels, mask.decision)


def test_where_nothing_tells_it_keeps_to_the_mask() -> None:
    mask = half_plane(40, 60, 30)
    content = torch.full((3, 40, 60), 0.3)
    merger = MRFMerger(MRFParams(smoothness=50))
    labels = merger.labels(content, painted(merger, content, content + 0.5, mask), mask)
    assert torch.equal(labels, mask.decision)


def test_a_soft_mask_is_followed_off_its_decision() -> None:
    """The segmenter is sure from column 33 on, and the decision is that of a threshold too low."""
    mask = half_plane(40, 60, 30)
    probability = torch.where(torch.arange(60) >= 33, 1.0, 0.01).expand(1, 40, 60)
    content = torch.full((3, 40, 60), 0.3)
    merger = MRFMerger(MRFParams(band=0.2, smoothness=1))
    stylized = painted(merger, content, content + 0.5, mask)
    labels = merger.labels(content, stylized, Mask(probability, mask.decision))
    assert torch.equal(labels, half_plane(40, 60, 33).decision)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9])
def test_thin_parts_and_gaps_stay(width: int) -> None:
    """A bar, or a gap, of few pixels would be the cheapest to leave out."""
    stripe = torch.zeros(1, 60, 60)
    stripe[:, :, 25 : 25 + width] = 1
    content, painting = torch.full((3, 60, 60), 0.2), torch.full((3, 60, 60), 0.9)
    merger = MRFMerger(MRFParams(smoothness=1000))
    for decision in (stripe, 1 - stripe):
        labels = merger.labels(content, painting, Mask(decision, decision))
        middle = labels[0, :, 25 + width // 2]
        assert torch.equal(middle, decision[0, :, 25 + width // 2])


@pytest.mark.parametrize(("side", "reach"), [(10, 3), (200, 10), (900, 24)])
def test_reach(side: int, reach: int) -> None:
    """A twentieth of the size, but 3 pixels at least and 24 at most."""
    decision = torch.zeros(1, side + 80, side + 80)
    decision[:, 40:-40, 40:-40] = 1
    row = MRFMerger(MRFParams()).paints(Mask(decision, decision))[0, side // 2 + 40]
    assert int(row.sum()) == side + 2 * reach


# --- blending -------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.1, 0.3])
def test_a_hard_edge_at_the_cut(radius: float) -> None:
    mask = testing.disc(128, 96, radius=radius)
    content, painting = testing.picture(128, 96, seed=1), testing.picture(128, 96, seed=2)
    merger = MRFMerger(MRFParams(width=0))
    stylized = painted(merger, content, painting, mask)
    labels = merger.labels(content, stylized, mask)
    expected = HardMerger(HardParams()).merge(content, stylized, Mask(labels, labels))
    assert torch.equal(merger.merge(content, stylized, mask), expected)


def test_a_mask_that_is_kept_is_feathered() -> None:
    mask = testing.disc(64, 64)
    content, painting = testing.picture(64, 64, seed=1), testing.picture(64, 64, seed=2)
    merger = MRFMerger(MRFParams(smoothness=0, width=4))
    stylized = painted(merger, content, painting, mask)
    expected = FeatherMerger(FeatherParams(width=4)).merge(content, stylized, mask)
    assert torch.equal(merger.merge(content, stylized, mask), expected)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 5.0, 1000.0]),
)
def test_any_mask(inside: np.ndarray, seed: int, smoothness: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    decision = torch.from_numpy(inside)[None].float()
    probability = torch.rand(1, *inside.shape, generator=generator)
    mask = Mask(probability, decision)
    content, painting = torch.rand(2, 3, *inside.shape, generator=generator)
    merger = MRFMerger(MRFParams(smoothness=smoothness, band=0.5))
    stylized = painted(merger, content, painting, mask)
    merged = merger.merge(content, stylized, mask)
    kept = (merger.paints(mask) == 0).expand_as(content)
    assert torch.equal(merged[kept], content[kept])
    assert 0 <= float(merged.min()) <= float(merged.max()) <= 1
    labels = merger.labels(content, stylized, mask)
    far = signed_distance(decision).abs() >= 3 + 0.5 * inside.size**0.5
    assert torch.equal(labels[far], decision[far])
    if inside.any():
        assert bool(labels.any())
    if not inside.all():
        assert not bool(labels.all())
