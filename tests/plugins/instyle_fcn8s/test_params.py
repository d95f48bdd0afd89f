"""The parameters of the segmenter: which weights are needed, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file

import instyle_refiners
from instyle_core import fetch, testing
from instyle_fcn8s.description import read_metadata
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.weights import ANIMALS, CLASSES


def test_weights_that_ship_are_those_of_no_file() -> None:
    assert FCN8sParams().pretrained() == (ANIMALS,)
    assert (ANIMALS.package, ANIMALS.url) == ("instyle_fcn8s", None)


def test_what_is_found(tmp_path: Path) -> None:
    assert FCN8sParams().finds() == ["cat", "cow", "dog", "horse", "person", "sheep"]
    file = tmp_path / "network.safetensors"
    own = {"classes": '["background", "gnu"]', "encoder": "resnet18", "variant": "8s"}
    save_file({"x": np.zeros(1)}, file, own)
    params = FCN8sParams(weights=file)
    assert params.pretrained() == ()
    assert params.finds() == ["gnu"]


def test_the_weights_that_ship_find_what_is_told() -> None:
    assert read_metadata(fetch(ANIMALS)).classes == ["background", *CLASSES]


def test_a_file_that_is_no_network_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    file.touch()
    with pytest.raises(ValidationError, match="no safetensors file, or it is damaged"):
        FCN8sParams(weights=file)
    save_file({"x": np.zeros(1)}, file)
    with pytest.raises(ValidationError, match="does not describe a network"):
        FCN8sParams(weights=file)


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
        ({"scales": []}, "scales", "at least 1"),
        ({"prior": -1}, "prior", "at least 0"),
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
