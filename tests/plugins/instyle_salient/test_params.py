"""What is known of parameters before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instyle_salient import params
from instyle_salient.params import SalientParams


def refuse(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        SalientParams(**settings)
    (error,) = caught.value.errors()
    return str(error["msg"])


def test_what_is_downloaded(onnx_file: Path) -> None:
    for settings, name in (({}, "u2netp"), ({"model": "isnet-general-use"}, "isnet-general-use")):
        (weights,) = SalientParams(**settings).pretrained()
        assert weights.name == name
    assert SalientParams(weights=onnx_file).pretrained() == ()


def test_what_it_needs_and_finds() -> None:
    assert SalientParams().needs() == ()
    assert SalientParams().finds() == ("object",)


def test_no_such_file(tmp_path: Path) -> None:
    assert f"no such file: {tmp_path / 'net.onnx'}" in refuse(weights=tmp_path / "net.onnx")
    assert "folder" in refuse(weights=tmp_path)
    assert "u2netp" in refuse(model="u3net")


def test_without_onnxruntime(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "find_spec", lambda name: None)
    message = refuse()
    assert "needs the package onnxruntime" in message
    assert "pip install 'instyle[salient]'" in message
    assert "`instyle models pull u2netp` downloads 4.6 MB" in message
    assert "models pull" not in refuse(weights=onnx_file)


def test_every_parameter_is_described() -> None:
    for name, field in SalientParams.model_json_schema()["properties"].items():
        assert field.get("description"), name
