"""The parameters of the mergers: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from instyle_core import Params
from instyle_mergers.params import FeatherParams, HardParams, MRFParams, MultibandParams

ALL = (HardParams, FeatherParams, MultibandParams, MRFParams)


@pytest.mark.parametrize(
    ("params", "settings", "message"),
    [
        (HardParams, {"width": 3}, "unknown key"),
        (FeatherParams, {"width": -1}, "at least 0"),
        (FeatherParams, {"width": 501}, "at most 500"),
        (FeatherParams, {"width": float("nan")}, "a finite number"),
        (FeatherParams, {"matte": "alpha"}, "'distance' or 'probability'"),
        (MultibandParams, {"levels": -1}, "at least 0"),
        (MultibandParams, {"levels": 9}, "at most 8"),
        (MultibandParams, {"levels": 2.5}, "a whole number"),
        (MRFParams, {"band": 0}, "above 0"),
        (MRFParams, {"band": 0.6}, "at most 0.5"),
        (MRFParams, {"smoothness": -1}, "at least 0"),
        (MRFParams, {"width": 501}, "at most 500"),
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
    for params in ALL:
        for name, field in params.model_json_schema().get("properties", {}).items():
            assert field.get("description"), f"{params.__name__}.{name}"
