"""Connected components as objects, against scikit-image and a flood fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instyle_core.config.select import Select
from instyle_core.errors import InputError
from instyle_core.objects.select import candidates, select_object
from tests.core.helpers.segmentations import (
    CLASSES,
    Bits,
    bits,
    regions,
    scenes,
    select,
    selected,
    semantic,
)

FEW = settings(max_examples=60, deadline=None)


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
            selected(winner, point=[x, y])
    else:
        mask, notes = selected(winner, point=[x, y])
        assert np.array_equal(mask, reached)
        assert notes == []


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
