"""The parameters of the ranker: what is read, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from instyle_rankers.params import AffinityParams


def test_what_it_reads() -> None:
    assert AffinityParams().reads() == {"vgg19": ("relu3_1", "relu4_1")}
    assert AffinityParams(extractor="mine", layers=("x",)).reads() == {"mine": ("x",)}
    assert AffinityParams(features=0).reads() == {}


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"features": 0, "color": 0}, (), "both weights are 0; give at least one above 0"),
        ({"features": -1}, ("features",), "at least 0"),
        ({"color": -0.1}, ("color",), "at least 0"),
        ({"color": float("inf")}, ("color",), "finite number"),
        ({"layers": []}, ("layers",), "at least 1 entry"),
        ({"layer": ["relu3_1"]}, ("layer",), "did you mean 'layers'?"),
    ],
    ids=str,
)
def test_wrong_parameters(settings: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AffinityParams(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]


def test_colour_of_version_0_1_0_is_color_now() -> None:
    notes: list[str] = []
    params = AffinityParams.model_validate({"colour": 0.25}, context={"notes": notes})
    assert params == AffinityParams(color=0.25)
    assert notes == ["'colour' is called 'color' now"]
    assert params.model_dump(by_alias=True)["color"] == 0.25
