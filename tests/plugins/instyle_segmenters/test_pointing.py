"""What is pointed at, colors told apart, and edges, against SciPy, scikit-image and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.stats import multivariate_normal
from skimage.color import rgb2lab

from instyle_core import InputError, Prompt, testing
from instyle_segmenters import pointing
from instyle_segmenters.pointing import Scene

FEW = settings(max_examples=60, deadline=None, derandomize=True)

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@st.composite
def prompts(draw: st.DrawFn) -> tuple[int, int, Prompt]:
    """A picture's height and width, and a prompt that fits it."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    point = draw(st.integers(x0, x1 - 1)), draw(st.integers(y0, y1 - 1))
    box = draw(st.booleans())
    return (
        height,
        width,
        Prompt(
            None,
            point if draw(st.booleans()) or not box else None,
            (x0, y0, x1, y1) if box else None,
        ),
    )


# --- what is pointed at ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "tester needs to be told where the object is"),
        ({"box": (5, 5, 5, 9)}, "box [5, 5, 5, 9] is empty or reaches outside of the picture"),
        ({"box": (-1, 0, 5, 5)}, "is empty or reaches outside"),
        ({"box": (0, 0, 30, 21)}, "is empty or reaches outside"),
        ({"point": (30, 5)}, "point [30, 5] is outside of the picture"),
        ({"point": (-1, 5)}, "is outside of the picture"),
        ({"point": (4, 9), "box": (5, 5, 10, 10)}, "point [4, 9] is outside of the box"),
        ({"point": (10, 9), "box": (5, 5, 10, 10)}, "is outside of the box"),
    ],
    ids=str,
)
def test_prompts_that_mark_nothing(prompt: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        pointing.check(Prompt(**prompt), 20, 30, who="tester")
    assert message in caught.value.what


@FEW
@given(prompts())
def test_prompts_that_mark_something(case: tuple[int, int, Prompt]) -> None:
    height, width, prompt = case
    pointing.check(prompt, height, width, who="tester")


def test_a_window_is_the_box_with_a_quarter_of_its_longer_side_around_it() -> None:
    assert pointing.window((40, 50, 60, 90), 200, 300) == (30, 40, 70, 100)
    assert pointing.window((4, 190, 24, 200), 200, 300) == (0, 185, 29, 200)
    assert pointing.window(None, 200, 300) == (0, 0, 300, 200)


@FEW
@given(prompts())
def test_a_scene_shows_the_same_pixels(case: tuple[int, int, Prompt]) -> None:
    """Pixels that tell where they are; the box and the point mark the same ones as before."""
    height, width, prompt = case
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)
    scene, (left, top, right, bottom) = Scene.of(pixels, prompt)
    assert np.array_equal(scene.pixels, pixels[top:bottom, left:right])
    x0, y0, x1, y1 = prompt.box or (0, 0, width, height)
    assert np.array_equal(
        scene.pixels[scene.inside].reshape(-1, 3), pixels[y0:y1, x0:x1].reshape(-1, 3)
    )
    y, x, _ = scene.pixels[scene.points[0][1], scene.points[0][0]]
    assert (x, y) == (prompt.point or ((x0 + x1) // 2, (y0 + y1) // 2))
    assert (scene.boxed, scene.pointed) == (prompt.box is not None, prompt.point is not None)


@FEW
@given(case=prompts(), most=st.integers(4, 400))
def test_a_small_scene_still_marks_something(case: tuple[int, int, Prompt], most: int) -> None:
    height, width, prompt = case
    scene, _ = Scene.of(np.zeros((height, width, 3), np.uint8), prompt)
    small = scene.at_most(most)
    x0, y0, x1, y1 = small.box
    assert 0 <= x0 < x1 <= small.size[1]
    assert 0 <= y0 < y1 <= small.size[0]
    assert small.inside[small.points[0][1], small.points[0][0]]
    factor = np.array(small.size) / scene.size
    for old, new, side in zip(scene.box, small.box, (1, 0, 1, 0), strict=True):
        assert abs(old * factor[side] - new) <= 1.5  # rounded, and a pixel wide at least


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((300, 400), 120_000, (300, 400)),
        ((300, 400), 30_000, (150, 200)),
        ((1000, 10), 100, (100, 2)),  # two at least, so that there are differences
        ((1000, 1), 100, (316, 1)),
    ],
)
def test_shrunk_sizes(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert pointing.shrunk_size(size, most) == expected


def test_an_ellipse_and_a_disc_have_the_areas_of_geometry() -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    scene, _ = Scene.of(pixels, Prompt(None, (120, 100), (0, 0, 300, 200)))
    assert scene.ellipse(0.5).sum() == pytest.approx(np.pi * 75 * 50, rel=0.02)
    disc = scene.disc(0.2)
    assert disc.sum() == pytest.approx(np.pi * 40**2, rel=0.02)
    assert ndimage.center_of_mass(disc) == pytest.approx((100, 120))
    assert ndimage.center_of_mass(scene.ellipse(0.5)) == pytest.approx((100, 150), abs=0.1)


@FEW
@given(prompts())
def test_an_ellipse_and_a_disc_have_a_pixel_at_least_and_none_outside_of_the_box(
    case: tuple[int, int, Prompt],
) -> None:
    height, width, prompt = case
    scene, _ = Scene.of(np.zeros((height, width, 3), np.uint8), prompt)
    for mask in (scene.ellipse(0.01), scene.ellipse(1), scene.disc(0.01), scene.disc(1)):
        assert mask.any()
        assert not (mask & ~scene.inside).any()


# --- colors ---------------------------------------------------------------------------------------


def test_pixels_have_256_levels() -> None:
    picture = testing.picture(7, 9)
    pixels = pointing.to_pixels(picture)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.rint(picture.numpy() * 255).transpose(1, 2, 0))


def test_cie_lab_without_single_grains() -> None:
    """The color of a pixel is that of the median around it."""
    pixels = np.full((9, 9, 3), (200, 60, 30), np.uint8)
    pixels[4, 4] = 0, 255, 0
    expected = rgb2lab(np.full((9, 9, 3), (200, 60, 30), np.uint8))
    np.testing.assert_allclose(pointing.to_lab(pixels), expected, atol=0.1)


def test_contrast_is_a_ratio_of_likelihoods() -> None:
    random = np.random.default_rng(0)
    colors = random.normal((50, 10, -10), (6, 4, 2), (12, 14, 3)).astype(np.float32)
    colors[:, 7:] += 4
    inside, outside = np.zeros((2, 12, 14), bool)
    inside[2:10, 1:7], outside[:, 8:] = True, True
    logarithms = []
    for example in (colors[inside], colors[outside]):
        spread = np.cov(example.T, bias=True) + pointing.LEAST_VARIANCE * np.eye(3)
        logarithms.append(multivariate_normal(example.mean(axis=0), spread).logpdf(colors))
    expected = np.clip(logarithms[0] - logarithms[1], -3, 3)
    assert 0 < (np.abs(expected) < 3).mean() < 1
    np.testing.assert_allclose(pointing.contrast(colors, inside, outside), expected, atol=1e-3)


def test_contrast_of_single_colors_is_finite() -> None:
    colors = np.zeros((1, 2, 3), np.float32)
    colors[0, 1] = 100
    inside = np.array([[True, False]])
    assert pointing.contrast(colors, inside, ~inside).tolist() == [[3, -3]]


# --- the mask -------------------------------------------------------------------------------------


@FEW
@given(masks)
def test_small_holes_are_filled(found: np.ndarray) -> None:
    """Where a hole (4 neighbors) is, SciPy knows; a small one has 1% of the object's area."""
    found = np.kron(found, np.ones((6, 6), bool))  # so that a hole can be small
    found[::7, ::5] = False
    holes, count = ndimage.label(ndimage.binary_fill_holes(found) & ~found)
    expected = found.copy()
    for number in range(1, count + 1):
        if (holes == number).sum() <= 0.01 * found.sum():
            expected |= holes == number
    assert np.array_equal(pointing.fill_holes(found), expected)


@FEW
@given(masks)
def test_the_largest_region(found: np.ndarray) -> None:
    regions, count = ndimage.label(found, np.ones((3, 3)))
    kept = pointing.largest(found)
    areas = [int((regions == number).sum()) for number in range(1, count + 1)]
    assert kept.sum() == max(areas, default=0)
    assert not kept.any() or any(np.array_equal(kept, regions == n) for n in range(1, count + 1))


@FEW
@given(masks)
def test_a_soft_edge_leaves_pixels_on_their_side(decision: np.ndarray) -> None:
    soft = pointing.soften(decision)
    assert np.array_equal(soft > 0.5, decision)
    assert 0 <= soft.min() <= soft.max() <= 1


def test_an_edge_is_soft_over_two_pixels() -> None:
    """The integral of a Gaussian with a standard deviation of 1, at the centers of pixels."""
    edge = np.broadcast_to(np.arange(20) >= 10, (20, 20))
    soft = pointing.soften(edge)[10]
    expected = ndimage.gaussian_filter1d((np.arange(20) >= 10).astype(float), 1)
    np.testing.assert_allclose(soft, expected, atol=0.01)
    assert ((soft > 0.1) & (soft < 0.9)).sum() == 2


def test_a_mask_is_enlarged_to_a_size() -> None:
    small = np.eye(3, dtype=np.float32)
    assert pointing.enlarge(small, (3, 3)) is small
    assert pointing.enlarge(small, (7, 12)).shape == (7, 12)
    assert (pointing.enlarge(np.ones((2, 3), np.float32), (5, 9)) == 1).all()


def test_a_segmentation_holds_the_object_in_its_window() -> None:
    probability = np.full((2, 3), 0.75, np.float32)
    seen = pointing.one_object(probability, (4, 1, 7, 3), torch.zeros(3, 5, 9))
    expected = torch.zeros(5, 9)
    expected[1:3, 4:7] = 0.75
    assert seen.classes == ("background", "object")
    assert torch.equal(seen.probabilities, torch.stack([1 - expected, expected]))
