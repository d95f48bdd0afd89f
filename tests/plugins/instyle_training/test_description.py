"""What a file says of its network is read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, Json
from safetensors.numpy import save_file

from instyle_core import WeightsError
from instyle_training.description import read_description
from tests.core.helpers.imports import HEAVY, imported_by


class Own(BaseModel):
    """A description of a network."""

    encoder: str
    training: Json[dict[str, Any]]


GIVEN = {"encoder": "resnet18", "training": '{"epochs": 3}', "other": "ignored"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    save_file({"x": np.zeros(1)}, tmp_path / "a.safetensors", GIVEN)
    found = read_description(tmp_path / "a.safetensors", Own)
    assert (found.encoder, found.training) == ("resnet18", {"epochs": 3})


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        (None, "encoder"),
        ({"encoder": "resnet18"}, "training"),
        ({**GIVEN, "training": "[1]"}, "training"),
        ({**GIVEN, "training": "epochs: 3"}, "training"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(tmp_path: Path, metadata: dict[str, str] | None, key: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": np.zeros(1)}, path, metadata)
    message = f"does not describe a network of this kind: {key}"
    with pytest.raises(WeightsError, match=message) as caught:
        read_description(path, Own)
    assert caught.value.where == str(path)
    assert caught.value.hint


@pytest.mark.parametrize("data", [None, b"", b"<html>not found</html>" * 10])
def test_no_safetensors_file(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "a.safetensors"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WeightsError, match="no safetensors file, or it is damaged") as caught:
        read_description(path, Own)
    assert caught.value.exit_status == 3


def test_nothing_heavy_is_imported() -> None:
    assert not HEAVY & imported_by("import instyle_training.description")
