"""Regions grown from a point, against a flood by hand and the random walk's own equations."""

from __future__ import annotations

from collections import deque
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import Tensor

from instyle_core import InputError, Prompt, testing
from instyle_segmenters import region
from instyle_segmenters.params import RegionParams
from instyle_segmenters.pointing import Scene
from instyle_segmenters.region import Region
from tests.plugins.instyle_segmenters.scenes import COOL, iou, scene

METHODS = ["walker", "growing"]
BOX = (20, 12, 80, 68)  # the disc is 26 to 74 by 16 to 64


def segment(image: Tensor, params: dict[str, Any] | None = None, **prompt: Any) -> Tensor:
    """The probability of the object, (H, W), with the contract checked."""
    segmenter = Region(RegionParams.model_validate(params or {}))
    seen = testing.check_segmenter(segmenter, image, Prompt(**prompt))
    assert seen.classes == ("background", "object")
    return seen.probabilities[1]


# --- good masks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "prompt",
    [
        {"point": (50, 40)},
        {"point": (40, 35)},
        {"box": BOX},
        {"box": BOX, "point": (55, 42)},
        {"box": (0, 0, 100, 80), "point": (55, 42)},
    ],
    ids=str,
)
def test_finds_what_is_marked(method: str, prompt: dict[str, Any]) -> None:
    image, truth = scene()
    assert iou(segment(image, {"method": method}, **prompt) > 0.5, truth) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_nothing_outside_of_the_box(method: str) -> None:
    image, _ = scene()
    found = segment(image, {"method": method}, box=(20, 12, 50, 68), point=(40, 40)) > 0.5
    assert found[40, 40]
    assert not found[:, 50:].any()


def test_the_middle_of_the_box_stands_in_for_a_point() -> None:
    image, _ = scene()
    params = {"method": "growing"}
    middle = segment(image, params, box=BOX, point=(50, 40))
    assert torch.equal(segment(image, params, box=BOX), middle)


def test_the_point_tells_which() -> None:
    image = torch.cat([scene()[0], scene()[0]], dim=2)
    for method in METHODS:
        found = segment(image, {"method": method}, point=(150, 40)) > 0.5
        assert found[40, 150]
        assert not found[:, :100].any()


# --- growing --------------------------------------------------------------------------------------


def flood(lab: NDArray[Any], seed: tuple[int, int], color: NDArray[Any], tolerance: float) -> Any:
    """All that is connected to the seed (8 neighbors) by colors within the tolerance."""
    near = np.linalg.norm(lab - color, axis=2) <= tolerance
    near[seed] = True
    found, queue = np.zeros_like(near), deque([seed])
    found[seed] = True
    while queue:
        y, x = queue.popleft()
        for v, u in product((y - 1, y, y + 1), (x - 1, x, x + 1)):
            inside = 0 <= v < near.shape[0] and 0 <= u < near.shape[1]
            if inside and near[v, u] and not found[v, u]:
                found[v, u] = True
                queue.append((v, u))
    return found


@settings(max_examples=40, deadline=None)
@given(
    picture=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    share=st.floats(0.2, 0.9),
    at=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
)
def test_growing_is_a_flood(
    picture: int, size: tuple[int, int], share: float, at: tuple[float, float]
) -> None:
    """Two colors far apart, with their grain, and without the filling of small holes."""
    random = np.random.default_rng(picture)
    pixels = np.where((random.random(size) < share)[..., None], [200, 40, 30], [30, 60, 200])
    pixels = pixels.astype(np.uint8)
    y, x = int(at[0] * size[0]), int(at[1] * size[1])
    place, _ = Scene.of(pixels, Prompt(point=(x, y)))
    lab = rgb2lab(pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cv2.medianBlur", lambda values, *_: values)
        patch.setattr(region, "fill_holes", lambda found, off: found)
        grown = Region(RegionParams(method="growing", radius=1e-6))._grow(place)
    assert np.array_equal(grown, flood(lab, (y, x), lab[y, x], 25))


def test_the_tolerance_is_a_distance_in_cie_lab() -> None:
    """A ramp of colors, each one further away than the one before."""
    ramp = torch.linspace(0.3, 0.9, 101).expand(3, 40, 101).clone()
    away = np.abs(rgb2lab(ramp.permute(1, 2, 0).numpy())[20, :, 0] - 0)
    for tolerance in (5.0, 20.0):
        found = segment(ramp, {"method": "growing", "tolerance": tolerance}, point=(50, 20)) > 0.5
        expected = np.abs(away - away[50]) <= tolerance
        assert abs(int(found[20].sum()) - int(expected.sum())) <= 2
        assert found.all(dim=0).sum() == found.any(dim=0).sum()


def test_small_holes_are_filled_and_larger_ones_are_not() -> None:
    image, _ = scene(noise=0)
    image[:, 48:50, 58:60] = COOL[:, None, None]
    image[:, 26:34, 40:52] = COOL[:, None, None]
    found = segment(image, {"method": "growing"}, point=(50, 45)) > 0.5
    assert found[48:50, 58:60].all()
    assert not found[28:32, 42:50].any()


# --- random walks ---------------------------------------------------------------------------------


def test_probabilities_solve_the_equations_of_the_walk() -> None:
    """At an open pixel it is the mean of the neighbors', weighted by how easy the steps are."""
    image, _ = scene(24, 30, noise=0.2)
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    place, _ = Scene.of(pixels, Prompt(point=(15, 12)))
    segmenter = Region(RegionParams(beta=300))
    seen: list[NDArray[Any]] = []
    walker = region.random_walker

    def watched(values: NDArray[Any], *arguments: Any, **options: Any) -> Any:
        seen.append(values)
        return walker(values, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(region, "random_walker", watched)
        probability = segmenter._walk(place).astype(np.float64)
    (values,) = seen
    scale = 300 / (10 * values.std())
    inner, outer = segmenter._seeds(place)
    assert (probability[inner] == 1).all()
    assert (probability[outer] == 0).all()
    for y, x in np.argwhere(~inner & ~outer):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        ease = [np.exp(-scale * (values[y, x] - values[at]) ** 2) + 1e-10 for at in around]
        mean = sum(e * probability[at] for e, at in zip(ease, around, strict=True)) / sum(ease)
        assert probability[y, x] == pytest.approx(mean, abs=1e-5)


def test_a_walk_in_a_flat_picture_knows_only_the_way() -> None:
    probability = segment(torch.full((3, 41, 41), 0.5), point=(20, 20))
    assert float(probability[20, 20]) == 1
    assert torch.allclose(probability, probability.flip(0), atol=1e-4)
    assert torch.allclose(probability, probability.T, atol=1e-4)
    row = probability[20, 20:]
    assert (row[1:] <= row[:-1]).all()
    assert float(row[-1]) == 0


def test_the_disc_is_the_object_and_has_the_size_that_is_asked_for() -> None:
    image = torch.full((3, 60, 60), 0.5)
    for radius in (0.1, 0.3):
        found = segment(image, {"radius": radius}, point=(30, 30)) == 1
        assert int(found.sum()) == pytest.approx(np.pi * (radius * 60) ** 2, rel=0.15)


def test_a_large_photo_is_walked_on_small(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = scene(240, 300)
    monkeypatch.setattr(region, "WALKED", 5_000)
    assert iou(segment(image, point=(150, 120)) > 0.5, truth) > 0.95
    monkeypatch.setattr(region, "GROWN", 5_000)
    assert iou(segment(image, {"method": "growing"}, point=(150, 120)) > 0.5, truth) > 0.95


# --- anything else --------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [{}, {"class_name": "cat"}])
def test_nothing_is_marked(prompt: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="region needs to be told where the object is") as error:
        segment(scene()[0], **prompt)
    assert "point" in str(error.value.hint)


def test_nothing_is_left_of_the_background() -> None:
    with pytest.raises(InputError, match="nothing around the object") as error:
        segment(torch.rand(3, 3, 3), {"radius": 0.5}, point=(1, 1))
    assert "radius" in str(error.value.hint)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40), (40, 1), (5, 5), (30, 40)])
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_tiny_and_flat_pictures(size: tuple[int, int], fill: str, method: str) -> None:
    """An error for people or a mask, never one of a library's."""
    height, width = size
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    image = {"black": noise * 0, "white": noise * 0 + 1, "noise": noise}[fill]
    middle = (width // 2, height // 2)
    box = (width // 4, height // 4, width // 2 + 1, height // 2 + 1)
    for point, frame in product([None, (0, 0), middle], [None, box, (0, 0, width, height)]):
        try:
            probability = segment(image, {"method": method}, point=point, box=frame)
        except InputError:
            continue
        if point and (frame is None or (frame[0] <= point[0] and frame[1] <= point[1])):
            assert probability[point[1], point[0]] > 0.5  # the point belongs to its region
