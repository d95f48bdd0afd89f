"""The parameters of the segmenters: which weights are needed, and what is refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from instyle_core import Params
from instyle_segmenters.params import (
    GrabCutParams,
    MaskParams,
    RegionParams,
    SmpParams,
    SnakeParams,
    TorchvisionParams,
)
from instyle_segmenters.weights import PUBLISHED, Model


@pytest.mark.parametrize(
    ("params", "settings", "place", "message"),
    [
        (MaskParams, {"path": "no-such.png"}, "path", "no such file"),
        (GrabCutParams, {"iterations": 0}, "iterations", "at least 1"),
        (GrabCutParams, {"iterations": 51}, "iterations", "at most 50"),
        (SnakeParams, {"method": "walker"}, "method", "'chan-vese' or 'geodesic'"),
        (SnakeParams, {"iterations": 2001}, "iterations", "at most 2000"),
        (SnakeParams, {"smoothing": 11}, "smoothing", "at most 10"),
        (SnakeParams, {"balloon": -6}, "balloon", "at least -5"),
        (RegionParams, {"method": "geodesic"}, "method", "'walker' or 'growing'"),
        (RegionParams, {"radius": 0}, "radius", "above 0"),
        (RegionParams, {"radius": 0.6}, "radius", "at most 0.5"),
        (RegionParams, {"tolerance": -1}, "tolerance", "at least 0"),
        (RegionParams, {"beta": 0}, "beta", "above 0"),
    ],
    ids=str,
)
def test_wrong_parameters(
    params: type[Params], settings: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        params.model_validate(settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert message in error["msg"]


def test_every_parameter_is_described() -> None:
    for params in (
        *(MaskParams, GrabCutParams, SnakeParams, RegionParams),
        *(TorchvisionParams, SmpParams),
    ):
        for name, field in params.model_json_schema()["properties"].items():
            assert field.get("description"), f"{params.__name__}.{name}"


# --- torchvision ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", get_args(Model))
def test_which_weights_a_run_needs(model: Model) -> None:
    assert TorchvisionParams(model=model).pretrained() == (PUBLISHED[model],)
    assert TorchvisionParams(model=model, weights=Path(__file__)).pretrained() == ()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "deeplabv4"}, "model"),
        ({"classes": ["a", "a"]}, "differ from one another"),
        ({"classes": []}, "at least"),
        ({"size": 8}, "size"),
        ({"threshold": 2}, "threshold"),
        ({"weights": "no-such.pth"}, "no such file"),
    ],
)
def test_wrong_parameters_of_torchvision(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TorchvisionParams.model_validate(keys)


# --- segmentation-models-pytorch ------------------------------------------------------------------


def test_a_folder_is_relative_to_the_spec(unet_folder: Path) -> None:
    context: dict[str, Any] = {"folder": unet_folder.parent, "inputs": []}
    params = SmpParams.model_validate({"pretrained": unet_folder.name}, context=context)
    assert params.source == str(unet_folder)
    assert context["inputs"] == [unet_folder / "config.json", unet_folder / "model.safetensors"]
    assert params.model_dump(mode="json", by_alias=True)["pretrained"] == str(unet_folder)


@pytest.mark.parametrize("name", ["user/net", "smp-hub/unet.v2", "0-a_b/C.d_e-f"])
def test_a_name_on_the_hub_stays_as_it_is(name: str) -> None:
    params = SmpParams.model_validate({"pretrained": name}, context={"folder": Path("/nowhere")})
    assert params.source == name


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "needs trained weights: either `weights`"),
        ({"weights": __file__, "pretrained": "a/b"}, "needs trained weights: either"),
        ({"weights": "no-such.pth"}, "no such file"),
        ({"pretrained": "no-such-folder"}, "neither a folder nor the name of a model"),
        ({"pretrained": "./a/b"}, "neither a folder nor the name of a model"),
        ({"pretrained": "a/b/c"}, "neither a folder nor the name of a model"),
        ({"pretrained": "."}, "no such file"),
        ({"pretrained": 3}, "a text"),
        ({"pretrained": "a/b", "std": [0.2, 0.0, 0.2]}, "at least 0.001"),
        ({"pretrained": "a/b", "mean": [0.2]}, "at least 3"),
        ({"pretrained": "a/b", "classes": ["a", "b", "a"]}, "differ from one another"),
        ({"pretrained": "a/b", "encoder": "a b"}, "pattern"),
    ],
)
def test_wrong_parameters_of_smp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        SmpParams.model_validate(keys)
