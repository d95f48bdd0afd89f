"""Objects marked on a photo: colors that differ, outlines in place, labels that can be read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.color import deltaE_ciede2000, rgb2lab

from instyle_core.cli.overlay import COLORS, FAINT, LONGEST, TINT, Marked, overlay, place
from instyle_core.interfaces.pictures import Box
from instyle_core.interfaces.segmenter import Prompt

GREY = 0.5


def rectangle(box: Box, height: int = 120, width: int = 160) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, box[1] : box[3], box[0] : box[2]] = 1
    return mask


def drawn(
    *objects: Marked, height: int = 120, width: int = 160, prompt: Prompt | None = None
) -> np.ndarray:
    """The overlay on a gray photo, (H, W, 3), 0 to 255."""
    image = torch.full((3, height, width), GREY)
    picture = overlay(image, objects, prompt or Prompt())
    assert max(picture.shape) == min(LONGEST, max(image.shape))
    assert float(picture.min()) >= 0
    assert float(picture.max()) <= 1
    return (picture * 255).round().byte().permute(1, 2, 0).numpy().astype(int)


def unlike(picture: np.ndarray) -> np.ndarray:
    """Where the gray photo has been drawn upon."""
    return (picture != 128).any(axis=2)


# --- colors --------------------------------------------------------------------------------------


def test_colors_differ_from_one_another() -> None:
    lab = rgb2lab(np.array(COLORS, float)[None] / 255)[0]
    assert min(deltaE_ciede2000(a, b) for a, b in combinations(lab, 2)) > 12
    assert min(deltaE_ciede2000(a, b) for a, b in combinations(lab[:8], 2)) > 20


@pytest.mark.parametrize("number", range(len(COLORS)))
def test_letters_stand_out_from_their_label(number: int) -> None:
    """By the contrast that the Web Content Accessibility Guidelines ask of large letters."""
    before = [Marked(rectangle((0, 118, 1, 119)), "")] * number
    picture = drawn(*before, Marked(rectangle((50, 60, 110, 110)), "cat 0"))
    label = picture[40:58, 50:85]
    fill = (label == COLORS[number]).all(axis=2)
    assert 0.3 < fill.mean() < 0.9

    def luminance(rgb: np.ndarray) -> np.ndarray:
        value = rgb / 255
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    rows = np.flatnonzero(fill.any(axis=1))
    letters = label[rows[1] : rows[-1], 1:-8]
    seen = luminance(letters.astype(float)).ravel()
    own = float(luminance(np.array(COLORS[number], float)))
    contrast = (np.maximum(seen, own) + 0.05) / (np.minimum(seen, own) + 0.05)
    assert contrast.max() > 3.5


# --- tint and outline -----------------------------------------------------------------------------


def test_an_object_is_tinted_and_outlined_where_it_is() -> None:
    mask = rectangle((40, 50, 90, 100))
    picture = drawn(Marked(mask, ""))
    inside = mask[0].numpy() > 0
    core = ndimage.binary_erosion(inside, iterations=2)
    rim = inside & ~ndimage.binary_erosion(inside, np.ones((3, 3)))
    shade = np.rint(128 * (1 - TINT) + np.array(COLORS[0]) * TINT)
    assert (picture[core] == shade).all()
    below = np.arange(120)[:, None] >= 60  # clear of the label
    assert (picture[rim & below] == COLORS[0]).all()
    around = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~inside & below
    assert (picture[around] < 64).all()
    beyond = ~ndimage.binary_dilation(inside, np.ones((3, 3))) & below
    assert (picture[beyond] == 128).all()


def test_what_was_not_chosen_stands_back() -> None:
    box = (40, 50, 90, 100)
    picture = drawn(Marked(rectangle(box), "", chosen=False))
    assert (picture[75, 65] == np.rint(128 * (1 - FAINT) + np.array(COLORS[0]) * FAINT)).all()
    assert (picture[99, 65] == COLORS[0]).all()


def test_an_object_that_fills_the_picture() -> None:
    picture = drawn(Marked(torch.ones(1, 120, 160), ""))
    shade = np.rint(128 * (1 - TINT) + np.array(COLORS[0]) * TINT)
    assert (picture[60:] == shade).all()


def test_colors_of_the_photo_are_muted_but_there() -> None:
    image = torch.zeros(3, 8, 8)
    image[0] = 0.8
    red, green, _ = overlay(image, [], Prompt())[:, 0, 0].tolist()
    assert 0 < green < red < 0.8


def test_lines_and_letters_grow_with_the_photo() -> None:
    heights, widths = [], []
    for size in (200, 1000, 1600):
        mask = rectangle((size // 4, size // 2, size // 2, size * 3 // 4), size, size)
        picture = drawn(Marked(mask, "cat 0"), height=size, width=size)
        label = (picture == COLORS[0]).all(axis=2)[: size // 2 - size // 50]
        rows = np.flatnonzero(label.any(axis=1))
        heights.append((rows[-1] - rows[0] + 1) / size)
        column = (picture == COLORS[0]).all(axis=2)[size // 2 :, size // 3]
        widths.append(int(column.sum()) // 2)
    assert heights[0] * 200 >= 12  # of which letters can be read
    assert heights[1] == pytest.approx(heights[2], rel=0.2)
    assert widths[0] == 1
    assert widths[2] > widths[1] > widths[0]


# --- what was pointed at --------------------------------------------------------------------------


def test_point_and_box_are_drawn() -> None:
    bare = drawn()
    assert not unlike(bare).any()
    boxed = drawn(prompt=Prompt(box=(30, 20, 100, 90)))
    for x, y in ((30, 50), (99, 50), (60, 20), (60, 89)):
        assert (boxed[y, x] == 255).all()
    for x, y in ((29, 50), (100, 50), (31, 50), (98, 50)):
        assert (boxed[y, x] == 0).all()
    rows, columns = np.nonzero(unlike(boxed))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (19, 90, 29, 100)
    pointed = drawn(prompt=Prompt(point=(70, 60)))
    rows, columns = np.nonzero(unlike(pointed))
    assert (rows.mean(), columns.mean()) == (pytest.approx(60, abs=0.6), pytest.approx(70, abs=0.6))
    assert (pointed[60, 70] == 128).all()  # what is pointed at can be seen


def test_all_points_are_drawn_and_those_off_the_object_in_another_way() -> None:
    points = drawn(prompt=Prompt(points=((30, 40), (110, 80))))
    for x, y in ((30, 40), (110, 80)):
        assert (points == drawn(prompt=Prompt(point=(x, y))))[y - 9 : y + 10, x - 9 : x + 10].all()
        assert (points[y, x] == 128).all()
    crossed = drawn(prompt=Prompt(not_points=((30, 40),)))
    assert (crossed[40, 30] == 255).all()  # a cross hides the pixel; a ring does not
    rows, columns = np.nonzero(unlike(crossed))
    assert (rows.mean(), columns.mean()) == (pytest.approx(40, abs=0.6), pytest.approx(30, abs=0.6))


def test_a_large_photo_has_a_smaller_overlay() -> None:
    mask = torch.zeros(1, 40, 8192)
    mask[0, 20, 4000] = 1  # a single pixel, which is still seen
    picture = drawn(
        Marked(mask, "cat 0"), height=40, width=8192, prompt=Prompt(box=(0, 0, 1024, 40))
    )
    assert picture.shape == (8, 1600, 3)
    assert (picture[4, 781] == COLORS[0]).all()
    assert (picture[4, 199] == 255).all()  # the right side of the box
    drawn(height=40, width=8192, prompt=Prompt(box=(5, 5, 6, 6), points=((5, 5),)))


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (5, 5)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    height, width = size
    drawn(
        Marked(torch.ones(1, height, width), "cat 0"),
        height=height,
        width=width,
        prompt=Prompt(point=(0, 0), box=(0, 0, width, height)),
    )


# --- labels ---------------------------------------------------------------------------------------

Sizes = st.tuples(st.integers(1, 60), st.integers(1, 30))


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> Box:
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))


@settings(deadline=None)
@given(data=st.data(), picture=st.tuples(st.integers(1, 200), st.integers(1, 200)), size=Sizes)
def test_a_label_is_kept_within_the_picture(
    data: st.DataObject, picture: tuple[int, int], size: tuple[int, int]
) -> None:
    taken = data.draw(st.lists(boxes(*picture), max_size=4))
    x, y = place(size, data.draw(boxes(*picture)), taken, picture)
    assert x >= 0
    assert y >= 0
    if size[0] <= picture[0]:
        assert x + size[0] <= picture[0]
    if size[1] <= picture[1]:
        assert y + size[1] <= picture[1]


@settings(deadline=None, max_examples=50)
@given(data=st.data(), size=Sizes, count=st.integers(2, 8))
def test_labels_do_not_lie_on_one_another(
    data: st.DataObject, size: tuple[int, int], count: int
) -> None:
    """Where there is room for twice as many of them."""
    picture = (max(200, 2 * size[0]), max(200, size[1] * 2 * count))
    taken: list[Box] = []
    for _ in range(count):
        x, y = place(size, data.draw(boxes(*picture)), taken, picture)
        taken.append((x, y, x + size[0], y + size[1]))
    covered = np.zeros(picture[::-1], int)
    for x0, y0, x1, y1 in taken:
        covered[y0:y1, x0:x1] += 1
    assert covered.max() == 1


def test_a_label_stands_on_its_object_if_it_can() -> None:
    assert place((40, 10), (50, 60, 100, 90), [], (160, 120)) == (50, 50)
    assert place((40, 10), (50, 5, 100, 90), [], (160, 120)) == (50, 5)  # no room above
    assert place((40, 10), (150, 60, 160, 90), [], (160, 120)) == (120, 50)  # nor at the right


def test_long_labels_are_made_to_fit() -> None:
    box = (10, 40, 150, 110)
    picture = drawn(Marked(rectangle(box), "a class with a name that is far too long 12"))
    label = (picture[:40] == COLORS[0]).all(axis=2)
    assert label[:, :5].any() or label[:, 150:].any()
    letters = (picture[:40] > 180).all(axis=2)
    assert np.flatnonzero(letters.any(axis=0)).max() < 158
