"""GrabCut: good masks of easy pictures, and a sane answer to everything else."""

from __future__ import annotations

from itertools import product

import cv2
import pytest
import skimage.data
import torch
from torch import Tensor

from instyle_core import InputError, Prompt, testing
from instyle_segmenters import grabcut
from instyle_segmenters.grabcut import GrabCut
from instyle_segmenters.params import GrabCutParams
from tests.plugins.instyle_segmenters.scenes import iou, scene


def segment(image: Tensor, iterations: int = 5, **prompt: object) -> Tensor:
    """The probability of the object, (H, W), with the contract checked."""
    segmenter = GrabCut(GrabCutParams(iterations=iterations))
    seen = testing.check_segmenter(segmenter, image, Prompt(**prompt))  # type: ignore[arg-type]
    assert seen.classes == ("background", "object")
    return seen.probabilities[1]


# --- good masks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        {"box": (20, 12, 80, 68)},
        {"point": (50, 40)},
        {"point": (40, 35)},
        {"box": (20, 12, 80, 68), "point": (60, 45)},
    ],
    ids=str,
)
def test_finds_what_is_marked(prompt: dict[str, object]) -> None:
    image, truth = scene()
    assert iou(segment(image, **prompt) > 0.5, truth) > 0.97


def test_nothing_outside_of_the_box() -> None:
    image, _ = scene()
    found = segment(image, box=(20, 12, 50, 68)) > 0.5
    assert found.any()
    assert not found[:, 50:].any()


def test_the_point_tells_which() -> None:
    left, right = scene()[0], scene()[0]
    image = torch.cat([left, right], dim=2)
    found = segment(image, point=(150, 40)) > 0.5
    assert not found[:, :100].any()
    assert found[40, 150]


def test_the_middle_of_the_box_is_the_object() -> None:
    """Without a point, the pattern inside of the object cannot become background."""
    image, truth = scene()
    image[:, 36:44, 46:54] = torch.tensor([0.2, 0.4, 0.7])[:, None, None]
    assert iou(segment(image, box=(20, 12, 80, 68)) > 0.5, truth) > 0.97


def test_specks_are_dropped_and_small_holes_filled() -> None:
    image, truth = scene()
    image[:, 16:22, 26:32] = torch.tensor([0.8, 0.4, 0.2])[:, None, None]  # a speck in the box
    image[:, 48:51, 58:61] = torch.tensor([0.2, 0.4, 0.7])[:, None, None]  # a hole in the object
    found = segment(image, box=(20, 12, 80, 68)) > 0.5
    assert not found[16:22, 26:32].any()
    assert found[48:51, 58:61].all()
    assert iou(found, truth) > 0.97


def test_an_object_at_the_border() -> None:
    image, truth = (part[..., 40:] for part in scene())
    assert iou(segment(image, box=(0, 12, 40, 68)) > 0.5, truth) > 0.97


def test_a_cat() -> None:
    """The box and iterations of the demo; shares were read off an overlay that looked right."""
    image = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1).float() / 255
    found = segment(image, iterations=10, box=(0, 0, 405, 300)) > 0.5
    assert 0.70 < float(found.float().mean()) < 0.79
    for x, y in [(170, 110), (318, 135), (265, 245), (60, 15), (375, 15), (40, 270)]:
        assert found[y, x], f"eyes, nose, ears and shoulder are the cat's, but ({x}, {y}) is not"
    for x, y in [(10, 40), (420, 150), (395, 250), (390, 60), (355, 285)]:
        assert not found[y, x], f"({x}, {y}) is not the cat's"


# --- the mask -------------------------------------------------------------------------------------


def test_the_edge_is_soft_and_stays_where_the_cut_is() -> None:
    image, truth = scene()
    probability = segment(image, box=(20, 12, 80, 68))
    soft = (probability > 0.02) & (probability < 0.98)
    distance = cv2.distanceTransform((~soft).byte().numpy(), cv2.DIST_L2, 3)
    assert soft.any()
    assert distance[truth.numpy()].max() > 15  # the middle is not soft
    decision = (probability > 0.5).numpy().astype("uint8")
    assert cv2.connectedComponents(decision)[0] == 2  # background and one region


def test_the_same_bits_whatever_has_run_before() -> None:
    image, _ = scene()
    first = segment(image, box=(20, 12, 80, 68))
    cv2.setRNGSeed(123)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        assert torch.equal(segment(image, box=(20, 12, 80, 68)), first)
    finally:
        cv2.setNumThreads(threads)


def test_a_large_photo_is_cut_coarse_to_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = scene(320, 400)
    monkeypatch.setattr(grabcut, "COARSE", 5_000)
    sizes = []
    cut = grabcut._grabcut

    def watched(pixels: grabcut.Pixels, seed: grabcut.Labels, iterations: int) -> grabcut.Binary:
        sizes.append(pixels.shape[:2])
        return cut(pixels, seed, iterations)

    monkeypatch.setattr(grabcut, "_grabcut", watched)
    prompt = {"box": (80, 48, 320, 272)}
    assert iou(segment(image, **prompt) > 0.5, truth) > 0.99
    coarse, fine = sizes
    assert coarse[0] * coarse[1] <= 5_100
    assert fine[0] > 224  # the box and what is around it, at full resolution

    monkeypatch.setattr(grabcut, "FINE", 40_000)
    assert iou(segment(image, **prompt) > 0.5, truth) > 0.98


# --- anything else --------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [{}, {"class_name": "cat"}])
def test_nothing_is_marked(prompt: dict[str, object]) -> None:
    with pytest.raises(InputError, match="told where the object is") as error:
        segment(scene()[0], **prompt)
    assert error.value.hint is not None
    assert "select: {box: [x0, y0, x1, y1]}" in error.value.hint


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"box": (0, 0, 100, 80)}, "too little"),
        ({"box": (50, 40, 51, 41)}, "too little"),
        ({"box": (50, 40, 50, 60)}, "empty or reaches outside"),
        ({"box": (60, 40, 50, 60)}, "empty or reaches outside"),
        ({"box": (50, 40, 101, 60)}, "empty or reaches outside"),
        ({"point": (100, 40)}, "outside of the picture"),
        ({"box": (20, 12, 80, 68), "point": (10, 40)}, "outside of the box"),
    ],
    ids=str,
)
def test_what_cannot_be(prompt: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        segment(scene()[0], **prompt)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40), (40, 1), (5, 5), (30, 40)])
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_tiny_and_flat_pictures(size: tuple[int, int], fill: str) -> None:
    """An error for people or a mask, never one of OpenCV's."""
    height, width = size
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    image = {"black": noise * 0, "white": noise * 0 + 1, "noise": noise}[fill]
    middle = (width // 2, height // 2)
    box = (width // 4, height // 4, width // 2 + 1, height // 2 + 1)
    for point, frame in product([None, (0, 0), middle], [None, box]):
        try:
            segment(image, point=point, box=frame)
        except InputError:
            continue
