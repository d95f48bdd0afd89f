"""What a file says of its network is read without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import instyle_fcn8s.weights
from instyle_click.description import read_metadata
from instyle_core import WeightsError, fetch
from tests.core.helpers.imports import HEAVY, imported_by

OWN = {"network": "click", "encoder": "tu-test_efficientnet"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": np.zeros(1)}, path, OWN | {"training": '{"seed": 3}'})
    found = read_metadata(path)
    assert (found.encoder, found.training) == ("tu-test_efficientnet", {"seed": 3})
    save_file({"x": np.zeros(1)}, path, OWN)
    assert read_metadata(path).training == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": None}, "network: Field required"),
        ({"encoder": None}, "encoder: Field required"),
        ({"network": "clicks"}, "network: Input should be 'click'"),
        ({"training": "epochs: 3"}, "training: Invalid JSON"),
        ({"training": "[1]"}, "training: Input should be a valid dictionary"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, str | None], message: str
) -> None:
    given = {name: value for name, value in (OWN | changes).items() if value is not None}
    save_file({"x": np.zeros(1)}, tmp_path / "a.safetensors", given)
    with pytest.raises(WeightsError) as caught:
        read_metadata(tmp_path / "a.safetensors")
    assert f"does not describe a network of this kind: {message}" in caught.value.what
    assert caught.value.where == str(tmp_path / "a.safetensors")


def test_the_file_of_another_segmenter() -> None:
    with pytest.raises(WeightsError, match="network of this kind: network: Field required"):
        read_metadata(fetch(instyle_fcn8s.weights.ANIMALS))


def test_it_is_light(tmp_path: Path) -> None:
    save_file({"x": np.zeros(1)}, tmp_path / "a.safetensors", OWN)
    modules = imported_by(
        "from pathlib import Path; from instyle_click.description import read_metadata; "
        f"read_metadata(Path({str(tmp_path / 'a.safetensors')!r}))"
    )
    assert not modules & HEAVY
