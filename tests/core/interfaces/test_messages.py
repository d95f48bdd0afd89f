"""What pydantic finds wrong, in words for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from instyle_core.interfaces.messages import in_words, problem, shown, unknown_keys
from tests.core.helpers.pictures import FEW


class Inner(BaseModel, extra="forbid"):
    low: int


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (bool, "perhaps", "should be true or false; it is 'perhaps'"),
        (int, 2.5, "should be a whole number; it is 2.5"),
        (int, "many", "should be a whole number; it is 'many'"),
        (float, [1], "should be a number; it is [1]"),
        (Annotated[float, Field(gt=0)], 0.0, "should be above 0; it is 0"),
        (Annotated[float, Field(ge=0.5)], 0, "should be at least 0.5; it is 0"),
        (Annotated[int, Field(lt=8)], 9, "should be below 8; it is 9"),
        (Annotated[int, Field(le=8)], 9, "should be at most 8; it is 9"),
        (Literal["a", "b"], "c", "should be 'a' or 'b'; it is 'c'"),
        (list[int], 3, "should be a list, such as [a, b]; it is 3"),
        (dict[str, int], "x", "should be a mapping, such as {key: value}; it is 'x'"),
        (Inner, 3, "should be a mapping, such as {key: value}; it is 3"),
        (Inner, {}, "missing key 'low'"),
        (Inner, {"low": 1, "high": 2}, "unknown key 'high'"),
        (tuple[int, int], [1], "missing entry '1'"),
        (tuple[int, int], [1, 2, 3], "should have at most 2 entries; it has 3"),
        (Annotated[list[int], Field(min_length=1)], [], "should have at least 1 entry; it has 0"),
        (Path, 3, "should be the name of a file; it is 3"),
        (str, None, "should be a text, in quotes if need be; it is empty"),
        (Annotated[str, Field(pattern="^a$")], "b", "should match the pattern ^a$; it is 'b'"),
    ],
)
def test_what_is_right_and_what_there_is(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    assert in_words(error) == words


@given(st.text(), st.integers(0, 2**31))
@FEW
def test_a_problem_says_just_what_it_is_told(message: str, number: int) -> None:
    """Whatever is in it; braces would be fields to pydantic."""
    error = ValidationError.from_exception_data("T", [problem(message, ("a", number), {"b": 1})])
    (told,) = error.errors()
    assert (told["msg"], told["loc"], told["input"]) == (message, ("a", number), {"b": 1})


KEYS = {"size": "size", "seed": "seed", "color": "color", "colour": "color"}


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({"size": 1, "colour": 2}, []),
        ({"sizes": 1}, ["unknown key 'sizes'; did you mean 'size'?"]),
        ({"x": 1}, ["unknown key 'x'; the keys here are size, seed, color"]),
        ({"colours": 1}, ["unknown key 'colours'; did you mean 'color'?"]),
        ({1: 2}, ["unknown key '1'; the keys here are size, seed, color"]),
        (
            {"x": 1, "sed": 2},
            [
                "unknown key 'x'; the keys here are size, seed, color",
                "unknown key 'sed'; did you mean 'seed'?",
            ],
        ),
    ],
)
def test_unknown_keys(given: dict[Any, int], messages: list[str]) -> None:
    """An old name is taken, but neither listed nor proposed."""
    found = ValidationError.from_exception_data("T", unknown_keys(given, KEYS)).errors()
    assert [error["msg"] for error in found] == messages


def test_where_no_key_is_known() -> None:
    (found,) = ValidationError.from_exception_data("T", unknown_keys({"a": 1}, {})).errors()
    assert found["msg"] == "unknown key 'a'; there are none here"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
@FEW
def test_what_is_shown_is_short(value: Any) -> None:
    assert len(shown(value)) <= 65
