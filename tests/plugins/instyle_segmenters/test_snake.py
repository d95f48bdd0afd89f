"""Active contours: discs that are found, scikit-image in step, and sane answers to the rest."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage.color import lab2rgb
from skimage.segmentation import morphological_chan_vese
from torch import Tensor

from instyle_core import InputError, Prompt, testing
from instyle_segmenters import snake
from instyle_segmenters.params import SnakeParams
from instyle_segmenters.snake import Snake
from tests.plugins.instyle_segmenters.scenes import iou, scene

METHODS = ["chan-vese", "geodesic"]
BOX = (20, 12, 80, 68)  # the disc is 26 to 74 by 16 to 64


def segment(image: Tensor, params: dict[str, Any] | None = None, **prompt: Any) -> Tensor:
    """The probability of the object, (H, W), with the contract checked."""
    segmenter = Snake(SnakeParams.model_validate(params or {}))
    seen = testing.check_segmenter(segmenter, image, Prompt(**prompt))
    assert seen.classes == ("background", "object")
    assert seen.instances is None
    return seen.probabilities[1]


# --- good masks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "prompt", "least"),
    [
        ("chan-vese", {"box": BOX}, 0.97),
        ("chan-vese", {"box": (5, 2, 98, 78)}, 0.97),
        ("chan-vese", {"point": (50, 40)}, 0.97),
        ("chan-vese", {"point": (45, 38)}, 0.97),
        ("chan-vese", {"box": BOX, "point": (60, 45)}, 0.97),
        ("geodesic", {"box": BOX}, 0.9),
        ("geodesic", {"box": (5, 2, 98, 78)}, 0.9),
        ("geodesic", {"point": (50, 40)}, 0.9),
    ],
    ids=str,
)
def test_finds_what_is_marked(method: str, prompt: dict[str, Any], least: float) -> None:
    image, truth = scene()
    assert iou(segment(image, {"method": method}, **prompt) > 0.5, truth) > least


def test_nothing_outside_of_the_box() -> None:
    image, _ = scene()
    found = segment(image, box=(20, 12, 50, 68)) > 0.5
    assert found.any()
    assert not found[:, 50:].any()


def test_an_object_at_the_border() -> None:
    image, truth = (part[..., 40:] for part in scene())
    assert iou(segment(image, box=(0, 12, 40, 68)) > 0.5, truth) > 0.97


def test_colors_count_where_lightness_is_equal() -> None:
    """A disc that no picture in gray shows."""
    _, truth = scene()
    red, green = torch.from_numpy(lab2rgb([[50.0, 40.0, 30.0], [50.0, -30.0, 20.0]])).float()
    image = torch.where(truth, red[:, None, None], green[:, None, None])
    assert iou(segment(image, box=BOX) > 0.5, truth) > 0.97


def test_the_object_is_in_one_piece() -> None:
    image, truth = scene()
    image[:, 14:17, 22:25] = torch.tensor([0.8, 0.4, 0.2])[:, None, None]  # a speck in the box
    found = segment(image, box=BOX) > 0.5
    assert not found[14:17, 22:25].any()
    assert iou(found, truth) > 0.97


# --- how it moves ---------------------------------------------------------------------------------


def test_the_contour_is_that_of_scikit_image() -> None:
    """One run of as many iterations, from the ellipse and on the contrast that snake computes."""
    image, _ = scene(noise=0.1)
    params = SnakeParams(iterations=10, smoothing=1)
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    place, _ = snake.Scene.of(pixels, Prompt(box=BOX))
    segmenter = Snake(params)
    contrast = segmenter._seen(place)
    snake._restart_smoothing()
    expected = morphological_chan_vese(contrast, 10, place.ellipse(1), smoothing=1) > 0
    found = segmenter._move(place, place.ellipse(1), 10)
    assert np.array_equal(found, expected & place.inside)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_the_same_bits_whatever_has_run_before(before: int) -> None:
    """scikit-image smooths by two operators in turn, and goes on with the turn at the next call."""
    image, _ = scene(noise=0.3)
    first = segment(image, {"smoothing": 1, "iterations": 5}, box=BOX)
    morphological_chan_vese(np.zeros((3, 3)), before, np.ones((3, 3)), smoothing=1)
    assert torch.equal(segment(image, {"smoothing": 1, "iterations": 5}, box=BOX), first)


def test_more_smoothing_makes_a_shorter_outline() -> None:
    image, _ = scene(noise=0.35)

    def outline(smoothing: int) -> int:
        found = segment(image, {"smoothing": smoothing}, box=BOX) > 0.5
        return int((found[1:] != found[:-1]).sum() + (found[:, 1:] != found[:, :-1]).sum())

    assert outline(0) > outline(1) >= outline(4)


def test_a_balloon_shrinks_or_grows() -> None:
    """In a picture without edges, from a point: so far as the iterations take it."""
    flat = torch.full((3, 60, 60), 0.5)
    flat[:, 0, 0] = 0.6
    areas = [
        int((segment(flat, params, point=(30, 30)) > 0.5).sum())
        for params in (
            {"method": "geodesic", "balloon": 1, "iterations": 1, "smoothing": 0},
            {"method": "geodesic", "balloon": 1, "iterations": 5, "smoothing": 0},
        )
    ]
    assert areas[0] < areas[1]


def test_the_edge_is_soft_and_stays_where_the_contour_is() -> None:
    image, truth = scene()
    probability = segment(image, box=BOX)
    soft = (probability > 0.02) & (probability < 0.98)
    from_the_edge = cv2.distanceTransform(truth.byte().numpy(), cv2.DIST_L2, 5)
    assert soft.any()
    assert from_the_edge[soft.numpy()].max() < 5


def test_a_large_photo_is_looked_at_small_first(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = scene(320, 400)
    monkeypatch.setattr(snake, "COARSE", 5_000)
    sizes = []
    move = Snake._move

    def watched(self: Snake, place: snake.Scene, contour: Any, iterations: int) -> Any:
        sizes.append((place.size[0] * place.size[1], iterations))
        return move(self, place, contour, iterations)

    monkeypatch.setattr(Snake, "_move", watched)
    assert iou(segment(image, box=(80, 48, 320, 272)) > 0.5, truth) > 0.98
    pixels, iterations = zip(*sizes, strict=True)
    assert pixels[0] <= 5_100
    assert pixels[-1] == 320 * 360  # the box and what is around it, at full resolution
    assert all(3.5 < more / less < 4.5 for less, more in pairwise(pixels))
    assert iterations == (150, *[snake.REFINING] * (len(sizes) - 1))
    monkeypatch.setattr(snake, "FINE", 30_000)
    assert iou(segment(image, box=(80, 48, 320, 272)) > 0.5, truth) > 0.97


# --- anything else --------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [{}, {"class_name": "cat"}])
def test_nothing_is_marked(prompt: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="snake needs to be told where the object is") as error:
        segment(scene()[0], **prompt)
    assert "select: {box: [x0, y0, x1, y1]}" in str(error.value.hint)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"box": (50, 40, 50, 60)}, "empty or reaches outside"),
        ({"box": (50, 40, 101, 60)}, "empty or reaches outside"),
        ({"point": (100, 40)}, "outside of the picture"),
        ({"box": BOX, "point": (10, 40)}, "outside of the box"),
    ],
    ids=str,
)
def test_what_cannot_be(prompt: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        segment(scene()[0], **prompt)


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
            segment(image, {"method": method, "iterations": 20}, point=point, box=frame)
        except InputError:
            continue
