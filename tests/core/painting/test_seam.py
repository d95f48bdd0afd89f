"""The seam metric, against closed forms and a computation pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instyle_core import Mask, testing
from instyle_core.painting.seam import AROUND, WINDOW, jump_across, measure_seam, painting_side


def flat(level: float, size: tuple[int, int] = (96, 96)) -> Tensor:
    return torch.full((3, *size), level)


def on(mask: Mask, inside: Tensor, outside: Tensor) -> Tensor:
    return torch.where(mask.decision > 0, inside, outside)


def repainted(a: float, b: float, c: float, mask: Mask) -> tuple[Tensor, Tensor]:
    """A photo with an object of level b on a field of level a, and the same painted to c."""
    size = (mask.decision.shape[1], mask.decision.shape[2])
    return on(mask, flat(b, size), flat(a, size)), on(mask, flat(c, size), flat(a, size))


# --- jump -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.2, 0.4, 0.9), (0.2, 0.9, 0.4), (0.5, 0.5, 0.1), (0.8, 0.2, 0.1)]
)
@pytest.mark.parametrize("radius", [0.06, 0.25, 0.45])
def test_a_repainted_disc(a: float, b: float, c: float, radius: float) -> None:
    mask = testing.disc(96, 96, radius=radius)
    content, painted = repainted(a, b, c, mask)
    seam = measure_seam(content, painted, painted, mask)
    assert seam.jump == pytest.approx(255 * max(0, abs(c - a) - abs(b - a)), abs=1e-3)
    assert seam.halo == 0


def test_colors_differ_by_their_root_mean_square() -> None:
    mask = testing.disc(96, 96)
    content = flat(0.2)
    painted = on(mask, content + torch.tensor([0.3, 0.0, 0.4]).view(3, 1, 1), content)
    expected = 255 * math.sqrt((0.3**2 + 0.4**2) / 3)
    assert measure_seam(content, painted, painted, mask).jump == pytest.approx(expected, abs=1e-3)


def test_a_ramp_across_the_seam() -> None:
    """In one dimension: the sides' means by a sum over pixels."""
    x = torch.arange(80) - 39.5
    width = 6
    opacity = (0.5 + x / width).clamp(0, 1)
    side = (x > 0).float().expand(1, 40, 80).contiguous()
    mask = Mask(side, side)
    content, stylized = flat(0.2, (40, 80)), flat(0.7, (40, 80))
    stylized[..., :30] = 0.2  # so far out, nothing was painted
    merged = torch.lerp(content, stylized, opacity.expand(40, 80))
    jumps = []
    for at in (-0.5, 0.5):
        weights = [math.exp(-((float(z) - at) ** 2) / (2 * WINDOW**2)) for z in x]
        means = []
        for sign in (1, -1):
            part = [
                (w, float(o)) for w, o, z in zip(weights, opacity, x, strict=True) if sign * z > 0
            ]
            means.append(sum(w * o for w, o in part) / sum(w for w, _ in part))
        jumps.append(127.5 * (means[0] - means[1]))
    # OpenCV's window ends at 4 standard deviations.
    expected = pytest.approx(sum(jumps) / 2, rel=1e-3)
    assert measure_seam(content, stylized, merged, mask).jump == expected


def test_pixel_by_pixel() -> None:
    height, width = 14, 11
    content, merged = testing.picture(height, width, seed=1), testing.picture(height, width, seed=2)
    side = (testing.picture(height, width, seed=3)[:1] > 0.5).float()
    one = side[0].numpy() > 0
    c, m = (p.permute(1, 2, 0).double().numpy() for p in (content, merged))
    jumps = []
    for y, x in np.ndindex(height, width):
        near = [(y + dy, x + dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        inside = [(v, u) for v, u in near if 0 <= v < height and 0 <= u < width]
        if all(one[place] == one[y, x] for place in inside):
            continue
        steps = []
        for picture in (c, m):
            means = []
            for value in (True, False):
                places = [
                    (v, u)
                    for v, u in zip(*np.nonzero(one == value), strict=True)
                    if max(abs(v - y), abs(u - x)) <= 4 * WINDOW
                ]
                weights = [
                    math.exp(-((v - y) ** 2 + (u - x) ** 2) / (2 * WINDOW**2)) for v, u in places
                ]
                means.append(np.average([picture[p] for p in places], axis=0, weights=weights))
            steps.append(math.sqrt(np.mean((means[0] - means[1]) ** 2)))
        jumps.append(max(0.0, steps[1] - steps[0]))
    assert len(jumps) > 10
    expected = 255 * float(np.mean(jumps))
    assert jump_across(content, merged, side) == pytest.approx(expected, rel=1e-4)


def test_an_edge_of_the_photo_pays_for_a_jump() -> None:
    """The seam off the mask, on an edge of the photo as strong as the jump, does not show."""
    x = torch.arange(96)
    mask = Mask(*[(x >= 48).float().expand(1, 96, 96).contiguous()] * 2)
    content = torch.where(x >= 52, 0.8, 0.3).expand(3, 96, 96)
    stylized = torch.where(x >= 30, 0.9, content)
    at_mask, at_edge = (torch.where(x >= seam, stylized, content) for seam in (48, 52))
    assert measure_seam(content, stylized, at_mask, mask).jump > 100
    assert measure_seam(content, stylized, at_edge, mask).jump == pytest.approx(25.5, abs=1e-3)


# --- which side -----------------------------------------------------------------------------------


def test_the_side_is_that_of_the_cut_and_not_of_the_mask() -> None:
    content, painting = testing.picture(64, 64, seed=1), 1 - testing.picture(64, 64, seed=1)
    mask, cut = testing.disc(64, 64, radius=0.3), testing.disc(64, 64, radius=0.35)
    stylized = on(testing.disc(64, 64, radius=0.4), painting, content)
    told = (stylized - content).square().mean(dim=0).sqrt() * 255 > 2
    side = painting_side(content, stylized, on(cut, stylized, content), mask)
    assert torch.equal(side[0][told], cut.decision[0][told])


def test_alike_pixels_go_with_their_neighbors() -> None:
    """A patch of the painting that equals the photo, inside, makes no seam of its own."""
    mask = testing.disc(64, 64, radius=0.4)
    content, painted = repainted(0.2, 0.4, 0.9, mask)
    painted[:, 28:36, 28:36] = content[:, 28:36, 28:36]
    assert torch.equal(painting_side(content, painted, painted, mask), mask.decision)


# --- halo -----------------------------------------------------------------------------------------


def test_halo_of_a_ring() -> None:
    """A ring of 4 pixels around a disc is painted over by half."""
    y, x = torch.meshgrid(torch.arange(160) - 80.0, torch.arange(160) - 80.0, indexing="ij")
    radius = (x**2 + y**2).sqrt()
    inside, ring = (radius <= 40).float()[None], (radius > 40) & (radius <= 44)
    content = flat(0.2, (160, 160))
    stylized = torch.where(radius <= 50, 0.8, content)
    merged = torch.where(inside > 0, stylized, torch.where(ring, 0.5, content))
    share = (44**2 - 40**2) / ((40 + AROUND) ** 2 - 40**2)
    seam = measure_seam(content, stylized, merged, Mask(inside, inside))
    assert seam.halo == pytest.approx(255 * 0.3 * share, rel=0.05)


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0, 0.02, 0.3, 2])
def test_a_photo_merged_with_itself(radius: float) -> None:
    photo, mask = testing.picture(48, 40), testing.disc(48, 40, radius=radius)
    seam = measure_seam(photo, photo, photo, mask)
    assert (seam.jump, seam.halo) == (0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (20, 30)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_or_everything(size: tuple[int, int], value: float) -> None:
    decision = torch.full((1, *size), value)
    content, painting = testing.picture(*size, seed=1), testing.picture(*size, seed=2)
    merged = painting if value else content
    seam = measure_seam(content, merged, merged, Mask(decision, decision))
    assert (seam.jump, seam.halo) == (0, 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_figures_are_levels(seed: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    content, painting, merged = torch.rand(3, 3, *size, generator=generator)
    decision = (torch.rand(1, *size, generator=generator) > 0.5).float()
    seam = measure_seam(content, painting, merged, Mask(decision, decision))
    assert 0 <= seam.jump <= 255
    assert 0 <= seam.halo <= 255
