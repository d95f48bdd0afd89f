"""What a file says of its network is read without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from instyle_core import WeightsError
from instyle_fcn8s.description import read_metadata
from tests.core.helpers.imports import HEAVY, imported_by

OWN = {"classes": '["background", "gnu"]', "encoder": "resnet18", "variant": "16s"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    save_file({"x": np.zeros(1)}, tmp_path / "a.safetensors", OWN)
    found = read_metadata(tmp_path / "a.safetensors")
    assert (found.classes, found.encoder, found.variant) == (
        ["background", "gnu"],
        "resnet18",
        "16s",
    )


@pytest.mark.parametrize("key", OWN)
def test_what_is_missing_is_named(tmp_path: Path, key: str) -> None:
    rest = {name: value for name, value in OWN.items() if name != key}
    save_file({"x": np.zeros(1)}, tmp_path / "a.safetensors", rest)
    with pytest.raises(WeightsError, match=f"does not describe a network of this kind: {key}"):
        read_metadata(tmp_path / "a.safetensors")


def test_nothing_heavy_is_imported() -> None:
    code = "from instyle_fcn8s.params import FCN8sParams; FCN8sParams().finds()"
    assert not HEAVY & imported_by(code)
