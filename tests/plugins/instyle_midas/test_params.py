"""Which network may be named, what the loss reads, and what is refused before a run begins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instyle_core import testing
from instyle_midas.params import DepthParams, MidasParams
from tests.plugins.instyle_midas.networks import FILES


def checked(model: Path | str, **context: Any) -> MidasParams:
    return MidasParams.model_validate({"model": str(model)}, context=context)


def refused(model: Path | str) -> str:
    """What is said to be wrong with a folder or a name."""
    with pytest.raises(ValidationError) as caught:
        checked(model)
    (error,) = caught.value.errors()
    return str(error["msg"])


def test_a_folder_is_relative_to_the_spec(folder: Path) -> None:
    context: dict[str, Any] = {"folder": folder.parent, "inputs": []}
    params = checked(folder.name, **context)
    assert params.model == str(folder)
    assert params.pretrained() == ()
    assert sorted(path.name for path in context["inputs"]) == FILES
    assert MidasParams.model_validate(params.model_dump(mode="json")) == params


def test_a_name_is_of_a_published_network() -> None:
    assert MidasParams() == MidasParams(model="dpt-hybrid-midas")
    for name in ("dpt-hybrid-midas", "dpt-large", "depth-anything-v2-small"):
        (record,) = MidasParams(model=name).pretrained()
        assert record.name == name
        assert record in testing.registry("instyle_midas").find("extractor", "midas").weights


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dpt-small", "neither one of dpt-hybrid-midas, dpt-large, depth-anything-v2-small, nor"),
        ("Intel/dpt-large", "nor a folder"),
        ("", "no such file"),  # the folder of the spec itself
    ],
)
def test_other_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(name)


@pytest.mark.parametrize("file", FILES)
def test_a_folder_without_a_file(copy: Path, file: str) -> None:
    (copy / file).unlink()
    message = refused(copy)
    assert "no such file" in message
    assert str(copy / file) in message


@pytest.mark.parametrize("file", ["pytorch_model.bin", "dpt_large.pt", "model.ckpt"])
def test_a_folder_with_pickles_alone(copy: Path, file: str) -> None:
    (copy / "model.safetensors").rename(copy / file)
    message = refused(copy)
    assert f"has {file}, but no model.safetensors" in message
    assert "save_pretrained" in message
    assert str(copy) in message


def test_without_transformers(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'instyle[depth]'" in refused(folder)
    assert "transformers" in refused("dpt-large")


def test_the_only_layer_has_a_value_for_each_pixel() -> None:
    assert MidasParams().layers() == {"depth": 1}


# --- the loss -------------------------------------------------------------------------------------


def test_what_the_loss_reads() -> None:
    assert DepthParams().reads() == {"midas": ("depth",)}
    assert DepthParams(extractor="near").reads() == {"near": ("depth",)}


@pytest.mark.parametrize(
    ("settings", "place"),
    [({"reduction": "max"}, "reduction"), ({"normalize": "so"}, "normalize"), ({"a": 1}, "a")],
)
def test_wrong_parameters(settings: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DepthParams(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)


def test_every_parameter_is_described() -> None:
    for params in (DepthParams, MidasParams):
        for name, field in params.model_json_schema()["properties"].items():
            assert field.get("description"), f"{params.__name__}.{name}"
