"""From a segmentation to one object: the prompt, and semantic segmentations from drawings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from instyle_core.config.select import Select, shrunk
from instyle_core.errors import InputError
from instyle_core.interfaces.pictures import Size
from instyle_core.interfaces.segmenter import Prompt, Segmentation
from instyle_core.objects.boxes import box_of
from instyle_core.objects.select import candidates, describe, select_object
from tests.core.helpers.segmentations import bits, drawn, select, selected, semantic

# --- the prompt -----------------------------------------------------------------------------------


def prompt_of(asked: Select, size: Size) -> Prompt:
    """What a segmenter is told about a picture of this size."""
    return shrunk(asked, size, size).prompt


def test_the_prompt_holds_what_was_pointed_at() -> None:
    everything = select(class_="cat", point=[7, 5], box=[0, 0, 8, 6])
    assert prompt_of(everything, (6, 8)) == Prompt("cat", (7, 5), (0, 0, 8, 6))
    assert prompt_of(Select(), (6, 8)) == Prompt()


@given(
    x=st.integers(-2, 10), y=st.integers(-2, 10), width=st.integers(1, 8), height=st.integers(1, 8)
)
def test_a_point_is_a_pixel_of_the_picture(x: int, y: int, width: int, height: int) -> None:
    if x in range(width) and y in range(height):
        assert prompt_of(select(point=[x, y]), (height, width)).point == (x, y)
    elif min(x, y) < 0:
        with pytest.raises(ValidationError, match=r"should be \[x, y\] from 0 on"):
            select(point=[x, y])
    else:
        with pytest.raises(InputError, match="outside of the picture") as caught:
            prompt_of(select(point=[x, y]), (height, width))
        assert caught.value.hint == f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"


@given(corners=st.tuples(*[st.integers(-2, 7)] * 4))
def test_a_box_holds_pixels_of_the_picture_alone(corners: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = corners
    picture = {(x, y) for x in range(5) for y in range(4)}
    held = {(x, y) for x in range(x0, x1) for y in range(y0, y1)}
    if held and held <= picture:
        assert prompt_of(select(box=list(corners)), (4, 5)).box == corners
    elif held and min(corners) >= 0:
        with pytest.raises(InputError, match=r"the box \[.*\] reaches outside of the picture"):
            prompt_of(select(box=list(corners)), (4, 5))
    else:
        with pytest.raises(ValidationError, match="with 0 <= x0 < x1 and 0 <= y0 < y1"):
            select(box=list(corners))


@given(st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_a_point_lies_in_its_box(point: tuple[int, int]) -> None:
    box = (1, 2, 4, 6)
    if point in {(x, y) for x in range(1, 4) for y in range(2, 6)}:
        assert prompt_of(select(point=point, box=box), (8, 8)) == Prompt(None, point, box)
    else:
        with pytest.raises(ValidationError, match="is not in it"):
            select(point=point, box=box)


# --- semantic segmentations -----------------------------------------------------------------------

SCENE = drawn(
    "cc....dd",
    "cc......",
    "....cccc",
    ".d..cccc",
    "..d.....",
    "........",
)


def test_a_class_takes_its_largest_region_and_says_so() -> None:
    mask, notes = selected(SCENE, class_="cat")
    expected = np.zeros((6, 8), bool)
    expected[2:4, 4:8] = True
    assert np.array_equal(mask, expected)
    assert len(notes) == 1
    assert "2 separate regions" in notes[0]
    assert "instance: 1" in notes[0]
    assert "instance: all" in notes[0]


def test_one_region_needs_no_note() -> None:
    mask, notes = selected(SCENE, class_="cat", box=[0, 0, 4, 6])
    assert mask.sum() == 4
    assert mask[:2, :2].all()
    assert notes == []


def test_regions_are_numbered_by_falling_area() -> None:
    assert selected(SCENE, class_="cat", instance=0)[0].sum() == 8
    second, notes = selected(SCENE, class_="cat", instance=1)
    assert second.sum() == 4
    assert second[0, 0]
    assert notes == []
    with pytest.raises(InputError, match="no instance 2") as caught:
        selected(SCENE, class_="cat", instance=2)
    assert caught.value.hint == "2 fit, numbered from 0, largest first"
    with pytest.raises(InputError) as caught:
        selected(SCENE, class_="cat", box=[0, 0, 4, 6], instance=1)
    assert caught.value.hint == "1 fits, numbered from 0, largest first"


def test_all_takes_every_region() -> None:
    mask, notes = selected(SCENE, class_="cat", instance="all")
    assert np.array_equal(mask, SCENE == 1)
    assert notes == []


def test_diagonal_neighbors_touch() -> None:
    mask, _ = selected(SCENE, class_="dog", box=[0, 2, 4, 6])
    assert np.argwhere(mask).tolist() == [[3, 1], [4, 2]]


def test_without_a_class_every_class_has_regions_of_its_own() -> None:
    touching = drawn("ccddd..c", "ccddd...")
    mask, notes = selected(touching)
    assert np.array_equal(mask, drawn("..ddd...", "..ddd...") > 0)
    assert "3 separate regions" in notes[0]
    assert np.array_equal(selected(touching, instance=1)[0], drawn("cc......", "cc......") > 0)
    assert np.array_equal(selected(touching, instance="all")[0], touching > 0)


def test_a_point_tells_the_class_and_the_region() -> None:
    touching = drawn("ccdd...d", "ccdd....")
    mask, notes = selected(touching, point=[3, 1])
    assert np.argwhere(mask).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert notes == []
    assert selected(touching, point=[7, 0])[0].sum() == 1
    # What is pointed at is one region, so that it is also all that fits.
    assert np.array_equal(selected(touching, point=[3, 1], instance="all")[0], mask)
    with pytest.raises(InputError, match="no instance 1"):
        selected(touching, point=[3, 1], instance=1)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"point": [0, 5]}, r"no object was found at the point \[0, 5\]"),
        ({"point": [0, 0], "class_": "dog"}, r"no dog was found at the point \[0, 0\]"),
        ({"class_": "dog", "box": [0, 0, 1, 1]}, r"no dog was found in the box \[0, 0, 1, 1\]"),
        ({"box": [0, 5, 8, 6]}, r"no object was found in the box \[0, 5, 8, 6\]"),
    ],
)
def test_nothing_there(keys: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        selected(SCENE, **keys)
    assert caught.value.hint == "found: cat (25% of the picture), dog (8% of the picture)"


def test_an_unknown_class_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match="does not know the class 'horse'") as caught:
        selected(SCENE, class_="horse")
    assert caught.value.hint == "it knows cat, dog"


def test_an_empty_picture_holds_nothing() -> None:
    empty = np.zeros((3, 4), int)
    with pytest.raises(InputError, match="no cat was found") as caught:
        selected(empty, class_="cat")
    assert caught.value.hint == "found: nothing"
    assert candidates(semantic(empty), Select()) == []


@pytest.mark.parametrize("keys", [{}, {"class_": "cat"}, {"point": [0, 0]}, {"instance": "all"}])
def test_an_object_may_fill_the_picture(keys: dict[str, Any]) -> None:
    mask, notes = selected(np.ones((3, 4), int), **keys)
    assert mask.all()
    assert notes == []


def test_an_object_may_be_one_pixel_in_a_corner() -> None:
    winner = np.zeros((5, 7), int)
    winner[4, 6] = 2
    mask = select_object(semantic(winner), select(class_="dog"))
    assert np.argwhere(bits(mask)).tolist() == [[4, 6]]
    assert box_of(mask.decision) == (6, 4, 7, 5)


def test_a_segmenter_may_have_no_background() -> None:
    seen = semantic(drawn("cddd"), classes=("", "sky", "sea"))
    assert bits(select_object(seen, Select())).tolist() == [[False, True, True, True]]
    assert bits(select_object(seen, select(instance="all"))).all()


def test_the_soft_rim_is_shared_out_among_the_regions() -> None:
    """Around each cat, pixels of 0.4 that are not decided for: each belongs to the nearer cat."""
    probability = torch.zeros(2, 1, 12)
    probability[1, 0] = torch.tensor([0.4, 0.9, 0.9, 0.4, 0.3, 0, 0, 0.3, 0.4, 0.7, 0.4, 0])
    probability[0] = 1 - probability[1]
    seen = Segmentation(("background", "cat"), probability)
    large = select_object(seen, select(class_="cat", instance=0))
    small = select_object(seen, select(class_="cat", instance=1))
    assert bits(large)[0].tolist() == [i in (1, 2) for i in range(12)]
    assert bits(small)[0].tolist() == [i == 9 for i in range(12)]
    assert torch.equal(large.probability[0, 0, :5], probability[1, 0, :5])
    assert not large.probability[0, 0, 5:].any()
    assert torch.equal(small.probability[0, 0, 7:], probability[1, 0, 7:])
    assert not small.probability[0, 0, :7].any()
    together = select_object(seen, select(class_="cat", instance="all"))
    assert torch.equal(together.probability, probability[1:])


# --- many, few and none ---------------------------------------------------------------------------


def test_thousands_of_specks() -> None:
    winner = np.zeros((1000, 1000), int)
    rows, columns = np.divmod(np.arange(5000), 100)
    winner[5 + rows * 19, 5 + columns * 9] = 1
    winner[990:998, 10:900] = 1
    mask, notes = selected(winner, class_="cat")
    assert mask.sum() == 8 * 890
    assert "5001 separate regions" in notes[0]
    assert selected(winner, class_="cat", instance="all")[0].sum() == 8 * 890 + 5000
    assert selected(winner, class_="cat", instance=5000)[0].sum() == 1
    assert [
        found.area for found in candidates(semantic(winner), Select()) if not found.is_speck
    ] == [8 * 890]


def test_specks_are_told() -> None:
    winner = np.zeros((100, 100), int)
    winner[0, :9] = 1  # under a thousandth of the picture
    winner[50, :10] = 2
    found = candidates(semantic(winner), Select())
    assert [(c.class_name, c.is_speck) for c in found] == [("dog", False), ("cat", True)]


def test_shares_are_described_by_size() -> None:
    winner = np.zeros((100, 100), int)
    winner[:, :40] = 2
    winner[0, 50] = 1
    assert describe(semantic(winner)) == "dog (40% of the picture), cat (under 1% of the picture)"
    assert describe(semantic(winner * 0)) == "nothing"
