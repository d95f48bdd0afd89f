"""What `select` of a spec may hold, and what a segmenter is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from instyle_core.config.select import MOST, Select, shrunk
from instyle_core.errors import InputError
from instyle_core.interfaces.segmenter import Prompt


@pytest.mark.parametrize(
    ("keys", "prompt"),
    [
        ({}, Prompt()),
        ({"point": [1, 2]}, Prompt(point=(1, 2))),
        ({"points": [[1, 2]]}, Prompt(point=(1, 2))),
        ({"points": [[1, 2], [3, 4]]}, Prompt(points=((1, 2), (3, 4)))),
        ({"point": [0, 0], "not": [[5, 6]]}, Prompt(point=(0, 0), not_points=((5, 6),))),
        ({"class": "cat"}, Prompt("cat")),
        ({"class": ["cat"]}, Prompt("cat")),
        ({"class": ["horse", "person", "horse"]}, Prompt(classes=("horse", "person"))),
        (
            {"text": "the red one", "box": [0, 0, 2, 2]},
            Prompt(text="the red one", box=(0, 0, 2, 2)),
        ),
    ],
    ids=str,
)
def test_what_a_segmenter_is_told(keys: dict[str, Any], prompt: Prompt) -> None:
    assert Select.model_validate(keys).prompt == prompt


@pytest.mark.parametrize(
    ("keys", "place", "what"),
    [
        ({"point": [1, 2], "points": [[3, 4]]}, ("points",), "there are both 'point' and 'points'"),
        ({"points": []}, ("points",), "should have at least 1 entry; it has 0"),
        ({"not": []}, ("not",), "should have at least 1 entry; it has 0"),
        ({"points": [[1, 1]] * (MOST + 1)}, ("points",), "should have at most 100 entries"),
        ({"not": [[1, 1]] * (MOST + 1)}, ("not",), "should have at most 100 entries"),
        ({"points": [1]}, ("points", 0), "should be [x, y] in pixels; it is 1"),
        ({"points": [[1, 2], [3]]}, ("points", 1), "should be [x, y] in pixels; it is [3]"),
        ({"not": [[1, -2]]}, ("not", 0), "should be [x, y] from 0 on; it is [1, -2]"),
        ({"point": [1, 2], "not": [[3, 4], [1, 2]]}, ("not",), "[1, 2] is also said to be on"),
        ({"points": [[1, 2], [3, 4]], "not": [[3, 4]]}, ("not",), "[3, 4] is also said to be on"),
        (
            {"points": [[1, 2], [9, 4]], "box": [0, 0, 9, 9]},
            ("box",),
            "the point [9, 4] is not in it",
        ),
        ({"class": []}, ("class", "several"), "should have at least 1 entry; it has 0"),
        ({"class": 3}, ("class", "one"), "should be a text, in quotes if need be; it is 3"),
        ({"class": ["cat", 3]}, ("class", "several", 1), "should be a text"),
        ({"text": " \n"}, ("text",), "it is blank"),
        ({"text": 3}, ("text",), "should be a text"),
    ],
    ids=str,
)
def test_what_is_refused(keys: dict[str, Any], place: tuple[Any, ...], what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Select.model_validate(keys)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert what in error["msg"]


@pytest.mark.parametrize(
    "keys",
    [
        {"class": "cat", "point": [1, 2], "instance": "all"},
        {"box": [0, 0, 5, 5], "instance": 1},
        {},
    ],
)
def test_an_old_selection_is_recorded_as_it_was(keys: dict[str, Any]) -> None:
    """By what `run.json` holds, an interrupted run is found to be that of its spec."""
    plain = Select.model_validate(keys).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert plain == {"instance": "largest", **keys}


def test_a_new_selection_is_recorded_as_it_was_written() -> None:
    keys = {"class": ["a", "b"], "points": [[1, 2]], "not": [[3, 4]], "text": "a b", "instance": 0}
    plain = Select.model_validate(keys).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert plain == keys
    assert Select.model_validate(plain) == Select.model_validate(keys)


def test_each_point_outside_is_told_with_its_place() -> None:
    keys = {"points": [[1, 1], [8, 1]], "not": [[1, 6], [2, 2]], "box": [0, 0, 9, 6]}
    outside = Select.model_validate(keys).outside((6, 8))
    assert list(outside) == [("points", 1), ("not", 0), ("box",)]
    assert outside["points", 1][0] == "the point [8, 1] is outside of the picture"


@given(data=st.data(), height=st.integers(2, 400), width=st.integers(2, 400))
def test_points_that_fall_together_contradict_one_another(
    data: st.DataObject, height: int, width: int
) -> None:
    smaller = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    pixel = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    on, off = data.draw(st.lists(pixel, min_size=1, max_size=3)), data.draw(pixel)
    if off in on:
        return
    select = Select.model_validate({"points": on, "not": [off]})
    moved = [(x * smaller[1] // width, y * smaller[0] // height) for x, y in [*on, off]]
    if moved[-1] in moved[:-1]:
        with pytest.raises(InputError, match="are one pixel of the photo as it is shrunk"):
            shrunk(select, (height, width), smaller)
    else:
        prompt = shrunk(select, (height, width), smaller).prompt
        assert [*prompt.points, *prompt.not_points] == moved
