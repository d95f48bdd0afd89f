"""Boxes around objects, against sets of pixels and numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.objects.boxes import box_of, crop, crop_box, paste
from tests.core.helpers.studio import noise

sides = st.integers(1, 40)


@st.composite
def boxes(draw: st.DrawFn, height: int, width: int) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        ((0, 0, 4, 4), (3, 1, 1)),  # torch would repeat it
        ((0, 0, 4, 4), (1, 4, 4)),
        ((0, 0, 4, 4), (3, 4, 5)),
        ((-5, -5, -1, -1), (3, 4, 4)),
        ((6, 0, 10, 4), (3, 4, 4)),
        ((4, 4, 0, 0), (3, 0, 0)),
    ],
)
def test_what_does_not_fill_the_box_is_not_pasted(box: tuple[int, ...], shape: Any) -> None:
    with pytest.raises(ValueError, match="do not fill the box"):
        paste(torch.zeros(3, 8, 8), box, torch.ones(shape))


# --- the tight box --------------------------------------------------------------------------------


@given(
    height=sides, width=sides, density=st.sampled_from([0.001, 0.05, 1]), seed=st.integers(0, 99)
)
def test_the_box_is_tight(height: int, width: int, density: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    occupied = random.random((height, width)) < density
    occupied[random.integers(height), random.integers(width)] = True
    x0, y0, x1, y1 = box_of(torch.tensor(occupied[None]).float())
    rows, columns = np.argwhere(occupied).T
    assert (x0, y0, x1, y1) == (
        columns.min(),
        rows.min(),
        columns.max() + 1,
        rows.max() + 1,
    )


def test_whatever_is_above_zero_is_in_the_box() -> None:
    mask = torch.zeros(1, 5, 6)
    mask[0, 1, 2], mask[0, 3, 4] = 1e-6, 1
    assert box_of(mask) == (2, 1, 5, 4)


# --- the box with context -------------------------------------------------------------------------


@given(data=st.data(), margin=st.floats(0, 2))
def test_the_crop_is_the_object_with_context_inside_of_the_photo(
    data: st.DataObject, margin: float
) -> None:
    height, width = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    x0, y0, x1, y1 = data.draw(boxes(height, width))
    mask = torch.zeros(1, height, width)
    mask[:, y0, x0] = mask[:, y1 - 1, x1 - 1] = 1
    paints = torch.zeros(1, height, width)
    paints[:, data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 1
    (py,), (px,) = paints[0].nonzero(as_tuple=True)
    left, top, right, bottom = crop_box(mask, margin, paints)
    least = max(8, round(margin * max(x1 - x0, y1 - y0)))
    for first, last, own, pixel, length in (
        (left, right, (x0, x1), int(px), width),
        (top, bottom, (y0, y1), int(py), height),
    ):
        # With the context and the painted pixels, but for what is outside of the photo.
        needed = min(max(0, own[0] - least), pixel), max(min(length, own[1] + least), pixel + 1)
        assert 0 <= first <= needed[0]
        assert needed[1] <= last <= length
        assert last - first == min(length, 16 * math.ceil((needed[1] - needed[0]) / 16))
    assert crop_box(mask, margin, mask) == crop_box(mask, margin)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (100, 132, (92, 140)),  # 48 pixels with the context, which is a multiple
        (100, 133, (85, 149)),  # 49 pixels grow to 64, by 7 and 8 on the two sides
        (0, 32, (0, 48)),  # no room on one side: 40 pixels grow on the other
        (168, 200, (152, 200)),
        (10, 195, (0, 200)),  # 200 is no multiple of 16, but there is no more
    ],
)
def test_sides_are_multiples_of_16_if_there_is_room(
    first: int, last: int, expected: tuple[int, int]
) -> None:
    mask = torch.zeros(1, 200, 200)
    mask[:, 60:90, first:last] = 1
    x0, _, x1, _ = crop_box(mask, 0)
    assert (x0, x1) == expected


# --- cropping and pasting -------------------------------------------------------------------------


def test_a_crop_is_the_pixels_of_the_box() -> None:
    image = torch.arange(3 * 5 * 7.0).reshape(3, 5, 7)
    part = crop(image, (2, 1, 6, 4))
    assert part.shape == (3, 3, 4)
    assert [float(part[0, 0, 0]), float(part[0, -1, -1])] == [7 + 2, 21 + 5]


@given(data=st.data(), height=sides, width=sides)
def test_a_pasted_crop_replaces_the_pixels_of_its_box_alone(
    data: st.DataObject, height: int, width: int
) -> None:
    x0, y0, x1, y1 = box = data.draw(boxes(height, width))
    canvas = torch.from_numpy(noise(height, width)).permute(2, 0, 1).float()
    before = canvas.clone()
    pixels = -1 - crop(canvas, box)
    pasted = paste(canvas, box, pixels)
    assert torch.equal(canvas, before)
    assert torch.equal(crop(pasted, box), pixels)
    inside = {(x, y) for x in range(x0, x1) for y in range(y0, y1)}
    changed = {(int(x), int(y)) for y, x in (pasted != before).any(dim=0).nonzero()}
    assert changed == inside
    assert torch.equal(paste(pasted, box, crop(before, box)), before)
