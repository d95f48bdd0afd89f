"""The parameters of the segmenter: which weights are needed, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import instyle_refiners
from instyle_core import testing
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.weights import ANIMALS


def test_weights_that_ship_are_those_of_no_file() -> None:
    assert FCN8sParams().pretrained() == (ANIMALS,)
    assert (ANIMALS.package, ANIMALS.url) == ("instyle_fcn8s", None)


def test_weights_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    file.touch()
    assert FCN8sParams(weights=file).pretrained() == ()


def test_a_refiner_of_that_name_is_there() -> None:
    name = FCN8sParams.refiner()
    assert testing.registry(instyle_refiners).find("refiner", name).name == name == "grabcut"


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"weights": "no-such.safetensors"}, "weights", "no such file"),
        ({"variant": "4s"}, "variant", "'32s', '16s' or '8s'"),
        ({"size": 31}, "size", "at least 32"),
        ({"size": 8193}, "size", "at most 8192"),
        ({"mirror": "both"}, "mirror", "true or false"),
        ({"classes": ["cat"]}, "classes", "unknown key 'classes'"),  # the file tells them
    ],
    ids=str,
)
def test_wrong_parameters(settings: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FCN8sParams(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert message in error["msg"]


def test_every_parameter_is_described() -> None:
    for name, field in FCN8sParams.model_json_schema()["properties"].items():
        assert field.get("description"), name
