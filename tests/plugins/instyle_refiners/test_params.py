"""The parameters of the refiners: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from instyle_core import Params
from instyle_refiners.params import GrabCutParams, GuidedParams, MattingParams


@pytest.mark.parametrize(
    ("params", "settings", "message"),
    [
        (GuidedParams, {"radius": 0}, "above 0"),
        (GuidedParams, {"radius": 0.3}, "at most 0.25"),
        (GuidedParams, {"epsilon": 0}, "above 0"),
        (GuidedParams, {"epsilon": 2}, "at most 1"),
        (GuidedParams, {"eps": 1e-4}, "did you mean 'epsilon'?"),
        (GrabCutParams, {"sure": 0.5}, "above 0.5"),
        (GrabCutParams, {"sure": 1}, "below 1"),
        (GrabCutParams, {"iterations": 0}, "at least 1"),
        (GrabCutParams, {"iterations": 51}, "at most 50"),
        (GrabCutParams, {"iterations": 1.5}, "whole number"),
        (MattingParams, {"band": 0}, "above 0"),
        (MattingParams, {"band": 0.6}, "at most 0.5"),
        (MattingParams, {"sure": 0.5}, "above 0.5"),
        (MattingParams, {"width": 3}, "unknown key"),
    ],
    ids=str,
)
def test_wrong_parameters(params: type[Params], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        params.model_validate(settings)
    (error,) = caught.value.errors()
    assert error["loc"] == tuple(settings)
    assert message in error["msg"]


def test_every_parameter_is_described() -> None:
    for params in (GuidedParams, GrabCutParams, MattingParams):
        for name, field in params.model_json_schema()["properties"].items():
            assert field.get("description"), f"{params.__name__}.{name}"
