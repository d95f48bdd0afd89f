"""Several points, points that are not on the object, and several classes as one object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instyle_core.errors import InputError
from instyle_core.interfaces.segmenter import Instance, Segmentation
from instyle_core.objects.candidates import class_mask
from instyle_core.objects.select import candidates, select_object
from tests.core.helpers.segmentations import (
    CLASSES,
    bits,
    drawn,
    regions,
    scenes,
    select,
    selected,
    semantic,
)

FEW = settings(max_examples=60, deadline=None)

SCENE = drawn(
    "cc....dd",
    "cc......",
    "....ccdd",
    ".d..ccdd",
)


def of(*rows: str) -> NDArray[np.bool_]:
    return drawn(*rows) > 0


# --- points ---------------------------------------------------------------------------------------


def test_what_is_at_several_points_is_one_object() -> None:
    mask, notes = selected(SCENE, points=[[0, 0], [4, 2], [6, 3]])
    assert np.array_equal(mask, of("cc......", "cc......", "....cccc", "....cccc"))
    assert notes == []
    (found,) = candidates(semantic(SCENE), select(points=[[0, 0], [4, 2], [6, 3]]))
    assert (found.class_name, found.area) == ("cat, dog", 12)
    assert found.score == pytest.approx(0.8)


def test_points_of_one_region_select_it() -> None:
    mask, _ = selected(SCENE, points=[[0, 0], [1, 1]])
    assert np.array_equal(mask, of("cc......", "cc......", "........", "........"))


def test_every_point_needs_an_object() -> None:
    with pytest.raises(InputError, match=r"no object was found at the point \[3, 0\]"):
        selected(SCENE, points=[[0, 0], [3, 0]])
    with pytest.raises(InputError, match=r"no cat was found at the point \[6, 0\]"):
        selected(SCENE, points=[[0, 0], [6, 0]], class_="cat")


def test_what_holds_another_point_is_left_out() -> None:
    mask, _ = selected(SCENE, class_="dog", not_=[[7, 3]])
    assert np.argwhere(mask).tolist() == [[0, 6], [0, 7]]
    mask, _ = selected(SCENE, instance="all", not_=[[7, 3], [0, 0], [5, 0]])
    assert np.array_equal(mask, of("......cc", "........", "....cc..", ".c..cc.."))
    with pytest.raises(InputError, match="no dog was found, apart from what is not to be on it"):
        selected(SCENE, class_="dog", not_=[[7, 3], [7, 0], [1, 3]])


def test_one_object_with_both_kinds_of_points_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        selected(SCENE, points=[[0, 0], [4, 2]], not_=[[5, 3]])
    assert caught.value.what == (
        "the segmenter cannot tell the point [4, 2] from [5, 3], which is not on the object: one "
        "cat holds both"
    )
    assert "segmenter: click" in (caught.value.hint or "")


@FEW
@given(winner=scenes(), data=st.data())
def test_points_against_scikit_image(winner: NDArray[np.int64], data: st.DataObject) -> None:
    height, width = winner.shape
    pixel = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    on = data.draw(st.lists(pixel, min_size=1, max_size=3, unique=True))
    off = [point for point in data.draw(st.lists(pixel, max_size=2)) if point not in on]
    parts = [part for number in (1, 2) for part in regions(winner == number)]
    held = [[part for part in parts if part[y, x]] for x, y in on]
    apart = not any(part[y, x] for at in held for part in at for x, y in off)
    keys: dict[str, Any] = {"points": on, **({"not_": off} if off else {})}
    if all(held) and apart:
        mask, notes = selected(winner, **keys)
        assert np.array_equal(mask, np.any([at[0] for at in held], axis=0))
        assert notes == []
    else:
        with pytest.raises(InputError, match=r"at the point|cannot tell the point"):
            selected(winner, **keys)


# --- instances ------------------------------------------------------------------------------------


def overlapping() -> Segmentation:
    """Two cats of 4 x 6 and 4 x 4 pixels that share 2 columns, and one apart."""
    masks = torch.zeros(3, 1, 4, 14)
    masks[0, :, :, 0:6] = 0.9
    masks[1, :, :, 4:8] = 0.8
    masks[2, :, 1:3, 10:13] = 0.7
    cat = masks.amax(dim=0)
    instances = tuple(Instance("cat", mask, 0.5) for mask in masks)
    return Segmentation(("background", "cat"), torch.cat([1 - cat, cat]), instances)


@pytest.mark.parametrize(
    ("keys", "columns"),
    [
        ({"points": [[0, 0], [5, 0]]}, range(6)),  # the first holds both
        ({"points": [[4, 0], [5, 0]]}, range(6)),  # either does: the larger
        ({"points": [[4, 0], [5, 0]], "instance": 1}, range(4, 8)),
        ({"points": [[0, 0], [7, 0]]}, range(8)),
        ({"point": [5, 0], "not_": [[0, 0]]}, range(4, 8)),
        ({"not_": [[0, 0], [7, 0]]}, range(10, 13)),
    ],
)
def test_instances_at_points(keys: dict[str, Any], columns: range) -> None:
    mask = bits(select_object(overlapping(), select(**keys)))
    assert np.flatnonzero(mask.any(axis=0)).tolist() == list(columns)


def test_instances_with_both_kinds_of_points() -> None:
    with pytest.raises(InputError, match=r"cannot tell the point \[10, 1\] from \[11, 2\]"):
        select_object(overlapping(), select(point=[10, 1], not_=[[11, 2]]))


# --- classes --------------------------------------------------------------------------------------


def test_classes_that_touch_are_one_object() -> None:
    (large, *small) = candidates(semantic(SCENE), select(class_=["dog", "cat"]))
    assert (large.class_name, large.area) == ("dog, cat", 8)
    assert [found.area for found in small] == [4, 2, 1]
    mask, _ = selected(SCENE, class_=["cat", "dog"])
    assert np.array_equal(mask, of("........", "........", "....cccc", "....cccc"))


def test_a_class_that_is_no_part_of_the_object_is_noted() -> None:
    alone, apart = drawn("cc..", "...."), drawn("cc.d", "....")
    for scene in (alone, apart):
        mask, notes = selected(scene, class_=["cat", "dog"])
        assert mask.tolist() == (drawn("cc..", "....") > 0).tolist()
        assert notes[-1] == "the object that was found has no dog in it"
    assert selected(drawn("ccdd", "...."), class_=["cat", "dog"])[1] == []
    assert selected(apart, class_=["cat", "dog"], instance="all")[1] == []
    assert selected(alone, class_="cat")[1] == []


def test_an_unknown_class_of_a_list() -> None:
    with pytest.raises(InputError, match="does not know the class 'horse'"):
        selected(SCENE, class_=["cat", "horse"])


def test_where_two_classes_meet_there_is_no_gap() -> None:
    """Each is less probable than the background, but not both together."""
    seen = Segmentation(
        CLASSES, torch.tensor([[0.1, 0.4, 0.1], [0.9, 0.3, 0], [0, 0.3, 0.9]])[:, None]
    )
    mask = select_object(seen, select(class_=["cat", "dog"]))
    assert bits(mask).tolist() == [[True, True, True]]
    np.testing.assert_allclose(mask.probability[0, 0], [0.9, 0.6, 0.9], rtol=1e-6)


@given(seed=st.integers(0, 999), count=st.integers(2, 6), data=st.data())
def test_several_classes_against_the_definition(seed: int, count: int, data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(seed)
    given = (3 * torch.randn(count, 4, 5, generator=generator)).softmax(dim=0)
    chosen = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    mask = class_mask(given, *chosen)
    values = given.double().numpy()
    own = values[sorted(chosen)].sum(axis=0)
    rest = [values[k] for k in range(count) if k not in chosen]
    most = np.max(rest, axis=0) if rest else np.zeros_like(own)
    np.testing.assert_allclose(mask.probability[0], own / (own + most), rtol=1e-5)
    assert np.array_equal(mask.decision[0].numpy() > 0, own > most)


def test_of_equal_classes_the_first_has_the_pixel() -> None:
    given = torch.full((4, 1, 1), 0.25)
    assert [float(class_mask(given, k).decision) for k in range(4)] == [1, 0, 0, 0]
