"""The parameters of the segmenter: which weights are needed, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file

import instyle_fcn8s.weights
from instyle_click.params import ClickParams
from instyle_click.weights import SHIPPED
from instyle_core import fetch


def test_weights_that_ship_are_those_of_no_file(tmp_path: Path) -> None:
    assert ClickParams().pretrained() == (SHIPPED,)
    assert (SHIPPED.package, SHIPPED.url) == ("instyle_click", None)
    file = tmp_path / "network.safetensors"
    save_file({"x": np.zeros(1)}, file, {"network": "click", "encoder": "tu-test_efficientnet"})
    assert ClickParams(weights=file).pretrained() == ()


def test_what_it_needs_and_finds() -> None:
    assert list(ClickParams().needs()) == ["point", "box"]
    assert list(ClickParams().finds() or ()) == ["object"]


def test_a_file_that_is_no_network_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    file.touch()
    with pytest.raises(ValidationError, match="no safetensors file, or it is damaged"):
        ClickParams(weights=file)
    with pytest.raises(ValidationError) as caught:
        ClickParams(weights=fetch(instyle_fcn8s.weights.ANIMALS))
    message = str(caught.value)
    assert "does not describe a network of this kind: network: Field required" in message
    assert "fcn8s-animals.safetensors" in message
    assert "use a file that was written by this plugin" in message


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"weights": "no-such.safetensors"}, "weights", "no such file"),
        ({"size": 63}, "size", "at least 64"),
        ({"size": 2049}, "size", "at most 2048"),
        ({"encoder": "resnet34"}, "encoder", "unknown key 'encoder'"),  # the file tells it
    ],
    ids=str,
)
def test_wrong_parameters(settings: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClickParams(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert message in error["msg"]


def test_every_parameter_is_described() -> None:
    for name, field in ClickParams.model_json_schema()["properties"].items():
        assert field.get("description"), name
