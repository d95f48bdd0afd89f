"""From a segmentation to one object, against brute force and scikit-image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label as components_of

from instyle_core.config.spec import Select
from instyle_core.errors import InputError
from instyle_core.events import Event, Note
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.segmenter import Instance, Prompt, Segmentation
from instyle_core.objects.boxes import box_of
from instyle_core.objects.select import candidates, describe, prompt_of, select_object

Bits = NDArray[np.bool_]
CLASSES = ("background", "cat", "dog")
FEW = settings(max_examples=60, deadline=None)


def select(**keys: Any) -> Select:
    return Select.model_validate({key.rstrip("_"): value for key, value in keys.items()})


def semantic(winner: NDArray[Any], sure: float = 0.8, classes: Sequence[str] = CLASSES) -> Any:
    """A segmentation in which the class number `winner` (H, W) has the probability `sure`."""
    count = len(classes)
    hot = np.arange(count)[:, None, None] == winner
    rest = (1 - sure) / max(1, count - 1)
    return Segmentation(tuple(classes), torch.tensor(np.where(hot, sure, rest)).float())


def drawn(*rows: str) -> NDArray[np.int64]:
    """Class numbers from a drawing: ``.`` is background, ``c`` a cat, ``d`` a dog."""
    return np.array([[".cd".index(letter) for letter in row] for row in rows])


def bits(mask: Mask) -> Bits:
    assert mask.decision.dtype == mask.probability.dtype == torch.float32
    assert set(mask.decision.unique().tolist()) <= {0.0, 1.0}
    return mask.decision[0].numpy() > 0


def box_mask(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (6, 8)) -> torch.Tensor:
    mask = torch.zeros(1, *size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def chosen(winner: NDArray[Any], **keys: Any) -> tuple[Bits, list[str]]:
    """The decision, and the notes that were emitted."""
    events: list[Event] = []
    mask = select_object(semantic(winner), select(**keys), events.append)
    assert all(isinstance(event, Note) for event in events)
    return bits(mask), [event.message for event in events if isinstance(event, Note)]


# --- the prompt -----------------------------------------------------------------------------------


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
    else:
        with pytest.raises(InputError, match=r"the box \[.*\] is empty or reaches outside"):
            prompt_of(select(box=list(corners)), (4, 5))


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
    mask, notes = chosen(SCENE, class_="cat")
    expected = np.zeros((6, 8), bool)
    expected[2:4, 4:8] = True
    assert np.array_equal(mask, expected)
    assert len(notes) == 1
    assert "2 separate regions" in notes[0]
    assert "instance: 1" in notes[0]
    assert "instance: all" in notes[0]


def test_one_region_needs_no_note() -> None:
    mask, notes = chosen(SCENE, class_="cat", box=[0, 0, 4, 6])
    assert mask.sum() == 4
    assert mask[:2, :2].all()
    assert notes == []


def test_regions_are_numbered_by_falling_area() -> None:
    assert chosen(SCENE, class_="cat", instance=0)[0].sum() == 8
    second, notes = chosen(SCENE, class_="cat", instance=1)
    assert second.sum() == 4
    assert second[0, 0]
    assert notes == []
    with pytest.raises(InputError, match="no instance 2") as caught:
        chosen(SCENE, class_="cat", instance=2)
    assert caught.value.hint == "2 fit, counted from 0 by falling area"
    with pytest.raises(InputError) as caught:
        chosen(SCENE, class_="cat", box=[0, 0, 4, 6], instance=1)
    assert caught.value.hint == "1 fits, counted from 0 by falling area"


def test_all_takes_every_region() -> None:
    mask, notes = chosen(SCENE, class_="cat", instance="all")
    assert np.array_equal(mask, SCENE == 1)
    assert notes == []


def test_diagonal_neighbors_touch() -> None:
    mask, _ = chosen(SCENE, class_="dog", box=[0, 2, 4, 6])
    assert np.argwhere(mask).tolist() == [[3, 1], [4, 2]]


def test_without_a_class_every_class_has_regions_of_its_own() -> None:
    touching = drawn("ccddd..c", "ccddd...")
    mask, notes = chosen(touching)
    assert np.array_equal(mask, drawn("..ddd...", "..ddd...") > 0)
    assert "3 separate regions" in notes[0]
    assert np.array_equal(chosen(touching, instance=1)[0], drawn("cc......", "cc......") > 0)
    assert np.array_equal(chosen(touching, instance="all")[0], touching > 0)


def test_a_point_tells_the_class_and_the_region() -> None:
    touching = drawn("ccdd...d", "ccdd....")
    mask, notes = chosen(touching, point=[3, 1])
    assert np.argwhere(mask).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert notes == []
    assert chosen(touching, point=[7, 0])[0].sum() == 1
    # What is pointed at is one region, so that it is also all that fits.
    assert np.array_equal(chosen(touching, point=[3, 1], instance="all")[0], mask)
    with pytest.raises(InputError, match="no instance 1"):
        chosen(touching, point=[3, 1], instance=1)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"point": [0, 5]}, r"no object was found at the point \[0, 5\]"),
        ({"point": [0, 0], "class_": "dog"}, r"no dog was found at the point \[0, 0\]"),
        ({"point": [0, 0], "box": [4, 0, 8, 6]}, r"no object was found at the point \[0, 0\]"),
        ({"class_": "dog", "box": [0, 0, 1, 1]}, r"no dog was found in the box \[0, 0, 1, 1\]"),
        ({"box": [0, 5, 8, 6]}, r"no object was found in the box \[0, 5, 8, 6\]"),
    ],
)
def test_nothing_there(keys: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        chosen(SCENE, **keys)
    assert caught.value.hint == "found: cat (25% of the picture), dog (8% of the picture)"


def test_an_unknown_class_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match="does not know the class 'horse'") as caught:
        chosen(SCENE, class_="horse")
    assert caught.value.hint == "it knows cat, dog"


def test_an_empty_picture_holds_nothing() -> None:
    empty = np.zeros((3, 4), int)
    with pytest.raises(InputError, match="no cat was found") as caught:
        chosen(empty, class_="cat")
    assert caught.value.hint == "found: nothing"
    assert candidates(semantic(empty), Select()) == []


@pytest.mark.parametrize("keys", [{}, {"class_": "cat"}, {"point": [0, 0]}, {"instance": "all"}])
def test_an_object_may_fill_the_picture(keys: dict[str, Any]) -> None:
    mask, notes = chosen(np.ones((3, 4), int), **keys)
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


# --- against brute force --------------------------------------------------------------------------


@st.composite
def scenes(draw: st.DrawFn) -> NDArray[np.int64]:
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    density = draw(st.sampled_from([0.0, 0.1, 0.4, 0.6, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    occupied = random.random((height, width)) < density
    return np.where(occupied, random.integers(1, 3, (height, width)), 0)


def regions(occupied: Bits) -> list[Bits]:
    """Connected components by scikit-image, by falling area."""
    labels, count = components_of(occupied, connectivity=2, return_num=True)
    return sorted((labels == n for n in range(1, count + 1)), key=lambda part: -int(part.sum()))


@FEW
@given(winner=scenes(), class_name=st.sampled_from([None, "cat", "dog"]), data=st.data())
def test_regions_against_scikit_image(
    winner: NDArray[np.int64], class_name: str | None, data: st.DataObject
) -> None:
    wanted = [1, 2] if class_name is None else [CLASSES.index(class_name)]
    layers = [winner == number for number in wanted]
    height, width = winner.shape
    box = None
    if data.draw(st.booleans()):
        x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
        box = [x0, y0, x1, y1]
        inside = np.zeros(winner.shape, bool)
        inside[y0:y1, x0:x1] = True
        layers = [layer & inside for layer in layers]
    expected = [part for layer in layers for part in regions(layer)]
    expected.sort(key=lambda part: -int(part.sum()))
    keys = {"class": class_name, "box": box}
    found: list[Bits] = []
    while True:
        try:
            mask = select_object(semantic(winner), select(**keys, instance=len(found)))
        except InputError:
            break
        found.append(bits(mask))
    # Regions of one area may come in any order.
    assert [part.sum() for part in found] == [part.sum() for part in expected]
    assert {part.tobytes() for part in found} == {part.tobytes() for part in expected}
    if expected:
        everything = select_object(semantic(winner), select(**keys, instance="all"))
        assert np.array_equal(bits(everything), np.any(layers, axis=0))
        largest = select_object(semantic(winner), select(**keys))
        assert bits(largest).sum() == expected[0].sum()


@FEW
@given(winner=scenes(), data=st.data())
def test_a_point_against_a_flood_fill(winner: NDArray[np.int64], data: st.DataObject) -> None:
    height, width = winner.shape
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    reached, open_ends = np.zeros(winner.shape, bool), [(y, x)]
    while open_ends:
        row, column = open_ends.pop()
        inside = 0 <= row < height and 0 <= column < width
        if inside and winner[row, column] == winner[y, x] and not reached[row, column]:
            reached[row, column] = True
            open_ends += [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    if winner[y, x] == 0:
        with pytest.raises(InputError, match="at the point"):
            chosen(winner, point=[x, y])
    else:
        mask, notes = chosen(winner, point=[x, y])
        assert np.array_equal(mask, reached)
        assert notes == []


@FEW
@given(winner=scenes())
def test_the_box_is_tight(winner: NDArray[np.int64]) -> None:
    occupied = winner > 0
    if not occupied.any():
        return
    x0, y0, x1, y1 = box_of(torch.tensor(occupied[None]).float())
    rows, columns = np.argwhere(occupied).T
    assert (x0, y0, x1, y1) == (
        columns.min(),
        rows.min(),
        columns.max() + 1,
        rows.max() + 1,
    )


def test_thousands_of_specks() -> None:
    winner = np.zeros((1000, 1000), int)
    rows, columns = np.divmod(np.arange(5000), 100)
    winner[5 + rows * 19, 5 + columns * 9] = 1
    winner[990:998, 10:900] = 1
    mask, notes = chosen(winner, class_="cat")
    assert mask.sum() == 8 * 890
    assert "5001 separate regions" in notes[0]
    assert chosen(winner, class_="cat", instance="all")[0].sum() == 8 * 890 + 5000
    assert chosen(winner, class_="cat", instance=5000)[0].sum() == 1
    assert [
        found.area for found in candidates(semantic(winner), Select()) if not found.is_speck
    ] == [8 * 890]


# --- segmenters that tell objects apart -----------------------------------------------------------


def told_apart() -> Segmentation:
    """Two cats that touch, and a dog that overlaps the second; the masks are the model's own."""
    instances = (
        Instance("cat", box_mask(0, 0, 2, 2) * 0.9, 0.7),
        Instance("cat", box_mask(2, 0, 6, 3) * 0.6, 0.9),
        Instance("dog", box_mask(5, 0, 8, 6) * 0.8, 0.8),
        Instance("dog", box_mask(0, 5, 8, 6) * 0.4, 0.1),  # nowhere decided for
    )
    return Segmentation(CLASSES, semantic(SCENE).probabilities, instances)


def test_a_model_that_tells_objects_apart_is_taken_at_its_word() -> None:
    seen, events = told_apart(), list[Event]()
    mask = select_object(seen, select(class_="cat"), events.append)
    assert torch.equal(mask.decision, box_mask(2, 0, 6, 3))
    assert torch.equal(mask.probability, box_mask(2, 0, 6, 3) * 0.6)
    assert len(events) == 1
    second = select_object(seen, select(class_="cat", instance=1))
    assert torch.equal(second.decision, box_mask(0, 0, 2, 2))
    with pytest.raises(InputError, match="no instance 2"):
        select_object(seen, select(class_="cat", instance=2))


def test_all_of_a_models_objects_are_joined_by_the_maximum() -> None:
    mask = select_object(told_apart(), select(instance="all"))
    expected = torch.stack(
        [box_mask(0, 0, 2, 2) * 0.9, box_mask(2, 0, 6, 3) * 0.6, box_mask(5, 0, 8, 6) * 0.8]
    ).amax(dim=0)
    assert torch.equal(mask.probability, expected)
    assert torch.equal(mask.decision, (expected > 0).float())


def test_a_point_keeps_the_models_objects_that_it_lies_in() -> None:
    seen = told_apart()
    assert torch.equal(select_object(seen, select(point=[0, 0])).decision, box_mask(0, 0, 2, 2))
    both = [select_object(seen, select(point=[5, 1], instance=n)).decision for n in (0, 1)]
    assert torch.equal(both[0], box_mask(5, 0, 8, 6))
    assert torch.equal(both[1], box_mask(2, 0, 6, 3))
    with pytest.raises(InputError, match="no object was found at the point"):
        select_object(seen, select(point=[0, 5]))  # the mask there stays below one half


def test_a_box_cuts_the_models_objects() -> None:
    mask = select_object(told_apart(), select(box=[0, 0, 3, 6]))
    assert torch.equal(mask.decision, box_mask(0, 0, 2, 2))
    with pytest.raises(InputError, match="no dog was found in the box"):
        select_object(told_apart(), select(class_="dog", box=[0, 0, 3, 6]))


# --- what there is --------------------------------------------------------------------------------


def test_the_models_objects_come_by_falling_area() -> None:
    found = candidates(told_apart(), Select())
    assert [(c.class_name, c.area, c.score) for c in found] == [
        ("dog", 18, 0.8),
        ("cat", 12, 0.9),
        ("cat", 4, 0.7),
    ]
    assert [int(c.mask().decision.sum()) for c in found] == [18, 12, 4]
    assert not any(c.is_speck for c in found)


@FEW
@given(winner=scenes())
def test_semantic_candidates_against_scikit_image(winner: NDArray[np.int64]) -> None:
    expected = {
        (name, part.tobytes())
        for number, name in enumerate(CLASSES[1:], start=1)
        for part in regions(winner == number)
    }
    found = candidates(semantic(winner, sure=0.75), Select())
    assert {(c.class_name, bits(c.mask()).tobytes()) for c in found} == expected
    areas = [candidate.area for candidate in found]
    assert areas == sorted(areas, reverse=True)
    assert areas == [int(c.mask().decision.sum()) for c in found]
    assert all(candidate.score == pytest.approx(0.75) for candidate in found)


@FEW
@given(winner=scenes(), data=st.data())
def test_the_place_among_candidates_is_the_number_of_the_instance(
    winner: NDArray[np.int64], data: st.DataObject
) -> None:
    keys: dict[str, Any] = {"class_": data.draw(st.sampled_from([None, "cat", "dog"]))}
    if data.draw(st.booleans()):
        height, width = winner.shape
        keys["box"] = [0, 0, data.draw(st.integers(1, width)), data.draw(st.integers(1, height))]
    for number, candidate in enumerate(candidates(semantic(winner), select(**keys))):
        mask = select_object(semantic(winner), select(**keys, instance=number))
        assert torch.equal(candidate.mask().decision, mask.decision)
        assert torch.equal(candidate.mask().probability, mask.probability)


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
