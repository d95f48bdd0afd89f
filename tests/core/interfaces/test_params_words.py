"""Parameters that do not fit, in plain words."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from instyle_core import Params


class PasteParams(Params):
    width: int
    corner: Annotated[str, Field(pattern="^[a-z]+$")] = "round"


def test_plugin_parameters_speak_plainly_on_their_own() -> None:
    with pytest.raises(ValidationError) as caught:
        PasteParams.model_validate({"wdith": 3, "corner": 5})
    assert {error["loc"]: error["msg"] for error in caught.value.errors()} == {
        ("wdith",): "unknown key 'wdith'; did you mean 'width'?",
        ("width",): "missing key 'width'",
        ("corner",): "should be a text, in quotes if need be; it is 5",
    }


def test_models_that_are_no_params_are_understood_too() -> None:
    class Inner(BaseModel, extra="forbid"):
        a: int

    class Outer(Params):
        inner: Inner

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {"b": 1}})
    assert {error["msg"] for error in caught.value.errors()} == {
        "missing key 'a'",
        "unknown key 'b'",
    }
