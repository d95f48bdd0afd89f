"""Several points, and points that are not on the object, for what cuts one object out."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from instyle_core import InputError, Prompt, Segmenter, testing
from instyle_segmenters import params, pointing
from instyle_segmenters.grabcut import GrabCut
from instyle_segmenters.pointing import Scene
from instyle_segmenters.region import Region
from instyle_segmenters.snake import Snake
from tests.plugins.instyle_segmenters.scenes import COOL, WARM, iou

SEGMENTERS: dict[str, Segmenter] = {
    "grabcut": GrabCut(params.GrabCutParams()),
    "walker": Region(params.RegionParams()),
    "growing": Region(params.RegionParams(method="growing")),
    "snake": Snake(params.SnakeParams()),
    "geodesic": Snake(params.SnakeParams(method="geodesic")),
}


def segment(name: str, image: Tensor, **prompt: Any) -> Tensor:
    """The decision, (H, W), with the contract checked."""
    seen = testing.check_segmenter(SEGMENTERS[name], image, Prompt(**prompt))
    return seen.probabilities[1] >= 0.5


def discs(
    *centers: tuple[int, int], size: tuple[int, int] = (80, 160)
) -> tuple[Tensor, list[Tensor]]:
    """Warm discs of radius 18 on a cool ground with some noise, and their masks."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    masks = [(x - cx) ** 2 + (y - cy) ** 2 <= 18**2 for cx, cy in centers]
    inside = torch.stack(masks).any(dim=0)
    colors = torch.where(inside, WARM[:, None, None], COOL[:, None, None])
    grain = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    return (colors + 0.03 * grain).clamp(0, 1), masks


@pytest.mark.parametrize("name", ["grabcut", "walker", "growing"])
def test_several_points_mark_several_parts(name: str) -> None:
    image, (left, right) = discs((40, 40), (120, 40))
    found = segment(name, image, points=((40, 40), (120, 40)))
    assert iou(found, left | right) > 0.9


@pytest.mark.parametrize("name", ["grabcut", "walker", "growing", "snake"])
def test_of_two_touching_parts_the_one_that_is_not_meant_is_left_out(name: str) -> None:
    """Two discs of nearly one color, which overlap: one point on either, one of them off it."""
    image, (left, right) = discs((66, 40), (96, 40))
    red = right & ~left
    image[:, red] = (WARM + torch.tensor([0.1, -0.25, -0.1]))[:, None]
    both = segment(name, image, points=((60, 40), (104, 40)))
    assert both[40, 60]
    assert both[40, 104]
    found = segment(name, image, point=(60, 40), not_points=((104, 40),))
    assert found[40, 60]
    assert not found[40, 104]
    assert float((found & red).sum() / red.sum()) < 0.2
    assert float((found & left).sum() / left.sum()) > 0.8


@pytest.mark.parametrize(("name", "box"), [*product(SEGMENTERS, [None, (30, 10, 132, 70)])])
def test_a_pixel_that_is_not_on_the_object_is_not(name: str, box: pointing.Box | None) -> None:
    """Wherever it is: also in the middle of one color, and at the size of a single pixel."""
    image, _ = discs((66, 40), (96, 40))
    for off in ((96, 40), (63, 40), (20, 40), (159, 79)):
        found = segment(name, image, point=(60, 40), not_points=(off,), box=box)
        assert not found[off[1], off[0]]
        assert found.any()


def test_a_hole_that_is_pointed_at_is_not_filled() -> None:
    image, (disc,) = discs((80, 40))
    hole = torch.zeros_like(disc)
    hole[37:40, 85:88] = True  # 9 pixels of 1000
    image[:, hole] = COOL[:, None]
    filled = segment("grabcut", image, box=(55, 15, 105, 65))
    assert filled[hole].all()
    kept = segment("grabcut", image, box=(55, 15, 105, 65), not_points=((86, 38),))
    assert not kept[hole].any()
    assert iou(kept, disc & ~hole) > 0.95


def test_growing_stops_where_a_color_is_more_like_the_other() -> None:
    """Two halves 20 apart in CIE Lab, which the tolerance of 25 does not tell apart."""
    image = torch.full((3, 30, 40), 0.5)
    image[:, :, 20:] = 0.7
    assert segment("growing", image, point=(5, 15)).all()
    found = segment("growing", image, point=(5, 15), not_points=((35, 15),))
    assert torch.equal(found, torch.arange(40).expand(30, 40) < 20)


def test_growing_needs_a_start() -> None:
    image, _ = discs((66, 40))
    with pytest.raises(InputError, match="the middle of the box is said not to be on the object"):
        segment("growing", image, box=(40, 20, 80, 60), not_points=((60, 40),))


def test_a_box_holds_every_point() -> None:
    with pytest.raises(InputError, match=r"the point \[9, 5\] is outside of the box"):
        pointing.check(Prompt(points=((3, 3), (9, 5)), box=(0, 0, 9, 9)), 20, 20, who="tester")


@given(data=st.data())
def test_discs_on_either_side_never_share_a_pixel(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    pixel = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    both = data.draw(st.lists(pixel, min_size=2, max_size=6, unique=True))
    count = data.draw(st.integers(1, len(both) - 1))
    on, off = tuple(both[:count]), tuple(both[count:])
    pixels = np.zeros((height, width, 3), np.uint8)
    scene, _ = Scene.of(pixels, Prompt(points=on, not_points=off))
    disc = scene.disc(data.draw(st.floats(0.01, 1)))
    assert not (disc & scene.off).any()
    assert all(disc[y, x] for x, y in on)
    assert all(scene.off[y, x] for x, y in off)


def test_a_single_point_is_seen_as_ever() -> None:
    """With a point or box alone, nothing is off, and the disc is that of geometry."""
    scene, _ = Scene.of(np.zeros((200, 300, 3), np.uint8), Prompt(point=(120, 100)))
    assert not scene.off.any()
    y, x = np.mgrid[:200, :300]
    away = np.hypot(x - 120, y - 100)
    assert scene.disc(0.2)[away <= 39].all()
    assert not scene.disc(0.2)[away > 41].any()
    assert np.array_equal(scene.beyond(0.2), ~scene.disc(0.2))
