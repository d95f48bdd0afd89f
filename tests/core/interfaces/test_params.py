"""Parameters of plugins: what is refused, and how they are renamed and deprecated."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, Field, ValidationError

from instyle_core import ExtractorParams, LossParams, Params, RankerParams, SegmenterParams
from tests.core.helpers.pictures import FEW


class Renamed(Params):
    """``color`` was ``colour`` in an older version, and ``hue`` before that."""

    color: float = Field(0.5, ge=0, validation_alias=AliasChoices("color", "colour", "hue"))
    class_name: str = Field("cat", alias="class")
    first: int = Field(0, validation_alias=AliasPath("range", 0))
    last: int = Field(9, validation_alias=AliasPath("range", 1))
    steps: int = Field(3, deprecated="it has no effect anymore")
    speed: int = Field(1, alias="pace", deprecated=True)


def check(data: dict[str, Any]) -> tuple[Renamed, list[str]]:
    notes: list[str] = []
    return Renamed.model_validate(data, context={"notes": notes}), notes


def messages(data: dict[str, Any], model: type[Params] = Renamed) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in caught.value.errors()]


def test_keys_with_the_names_that_they_have_now() -> None:
    assert Renamed.spec_keys() == {
        "color": "color",
        "colour": "color",
        "hue": "color",
        "class": "class",
        "range": "range",
        "steps": "steps",
        "pace": "pace",
    }


@pytest.mark.parametrize("model", [Params, LossParams, RankerParams, ExtractorParams])
def test_without_parameters_there_are_no_keys(model: type[Params]) -> None:
    assert model.spec_keys() == {}
    assert messages({"a": 1}, model) == ["a: unknown key 'a'; there are none here"]


@pytest.mark.parametrize("key", ["color", "colour", "hue"])
def test_an_old_name_is_taken_and_told(key: str) -> None:
    params, notes = check({key: 0.25})
    assert params.color == 0.25
    assert notes == ([] if key == "color" else [f"'{key}' is called 'color' now"])
    # What a run leaves behind has the new name.
    assert params.model_dump(by_alias=True)["color"] == 0.25
    assert "colour" not in Renamed.model_json_schema()["properties"]


def test_nothing_is_told_of_what_is_not_given() -> None:
    assert check({}) == (Renamed(), [])
    assert check({"class": "dog", "range": [1, 2]})[1] == []


def test_a_deprecated_parameter_is_taken_and_told() -> None:
    _, notes = check({"steps": 4, "pace": 2})
    assert notes == [
        "'steps' is deprecated: it has no effect anymore",
        "'pace' is deprecated",
    ]


def test_two_names_of_one_parameter_are_an_error() -> None:
    assert messages({"hue": 1, "class": "dog", "color": 1}) == [
        "color: 'hue' and 'color' are names of one parameter; keep one"
    ]
    assert len(messages({"hue": 1, "color": 1, "colour": 1})) == 2


def test_errors_are_told_by_the_name_that_was_written() -> None:
    assert messages({"colour": -1}) == ["colour: should be at least 0; it is -1"]
    assert messages({"color": -1, "colr": 1}) == [
        "colr: unknown key 'colr'; did you mean 'color'?",
        "color: should be at least 0; it is -1",
    ]


def test_parameters_of_python_need_no_list_for_notes() -> None:
    assert Renamed.model_validate({"colour": 1}).color == 1
    assert Renamed.model_validate({"colour": 1}, context={"folder": None}).color == 1


OLD = st.sampled_from(["color", "colour", "hue"])
OTHERS = st.sampled_from(["class", "range", "steps", "pace", "x", "y"])


@given(st.sets(OLD), st.sets(OTHERS))
@FEW
def test_just_known_keys_each_once_are_taken(names: set[str], others: set[str]) -> None:
    values = {"class": "dog", "range": [1, 2]}
    data = {key: values.get(key, 1) for key in [*names, *others]}
    wrong = len(others & {"x", "y"}) + max(len(names) - 1, 0)
    if wrong:
        assert len(messages(data)) == wrong
        return
    params, notes = check(data)
    assert params.color == (1 if names else 0.5)
    assert len(notes) == len(names - {"color"}) + len(others & {"steps", "pace"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "much"])
def test_numbers_are_finite_and_within_bounds(value: Any) -> None:
    assert len(messages({"color": value})) == 1


def test_they_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Renamed().color = 1.0  # type: ignore[misc]


def test_what_they_tell_unless_they_say_otherwise() -> None:
    assert Params().pretrained() == ()
    assert LossParams().reads() == RankerParams().reads() == {}
    assert ExtractorParams().reach("any") is None
    assert SegmenterParams.refiner() is None
    with pytest.raises(NotImplementedError):
        ExtractorParams().layers()
