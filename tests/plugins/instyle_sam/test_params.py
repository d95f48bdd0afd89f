"""What is known of parameters before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instyle_sam import params
from instyle_sam.params import SamParams, TextParams


def refuse(kind: Any, **settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        kind(**settings)
    (error,) = caught.value.errors()
    return str(error["msg"])


def names(checked: SamParams | TextParams) -> list[str]:
    return [weights.name for weights in checked.pretrained()]


def test_what_is_downloaded(nets: Path) -> None:
    assert names(SamParams()) == ["sam2.1-hiera-tiny"]
    assert names(SamParams(model="sam-vit-base")) == ["sam-vit-base"]
    assert names(SamParams(pretrained=str(nets / "sam"))) == []
    assert names(TextParams()) == ["grounding-dino-tiny", "sam2.1-hiera-tiny"]
    assert names(TextParams(sam="sam-vit-base")) == ["grounding-dino-tiny", "sam-vit-base"]
    assert names(TextParams(sam=str(nets / "sam"))) == ["grounding-dino-tiny"]
    assert names(TextParams(sam="owner/sam")) == ["grounding-dino-tiny"]
    assert names(TextParams(method="clipseg")) == ["clipseg-rd64-refined"]
    own = str(nets / "clipseg")
    assert names(TextParams(method="clipseg", pretrained=own)) == []
    assert names(TextParams(pretrained="owner/dino")) == ["sam2.1-hiera-tiny"]


def test_what_they_need_and_find() -> None:
    assert SamParams().needs() == ()
    assert TextParams().needs() == ("text",)
    assert SamParams().finds() == TextParams().finds() == ("object",)


def test_folders_are_absolute(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nets)
    assert SamParams(pretrained="sam").source == str(nets / "sam")
    assert TextParams(sam="./sam2").sam == str(nets / "sam2")
    assert SamParams(pretrained="owner/name").source == "owner/name"


def test_no_such_folder(tmp_path: Path) -> None:
    message = refuse(SamParams, pretrained=str(tmp_path / "none"))
    assert "neither a folder nor the name of a model on huggingface.co" in message
    assert str(tmp_path / "none") in message


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_is_missing(copies: Path, file: str) -> None:
    (copies / "sam" / file).unlink()
    for message in (
        refuse(SamParams, pretrained=str(copies / "sam")),
        refuse(TextParams, sam=str(copies / "sam")),
    ):
        assert f"no such file: {copies / 'sam' / file}" in message


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_words_that_are_missing(copies: Path, file: str) -> None:
    (copies / "clipseg" / file).unlink()
    message = refuse(TextParams, method="clipseg", pretrained=str(copies / "clipseg"))
    assert f"no such file: {copies / 'clipseg' / file}" in message


def test_a_pickle_alone(copies: Path) -> None:
    (copies / "sam" / "model.safetensors").rename(copies / "sam" / "pytorch_model.bin")
    message = refuse(SamParams, pretrained=str(copies / "sam"))
    assert "has pytorch_model.bin, but no model.safetensors" in message
    assert "save_pretrained" in message


@pytest.mark.parametrize(
    ("kind", "settings", "download"),
    [
        (SamParams, {}, "`instyle models pull sam2.1-hiera-tiny` downloads 155.9 MB"),
        (SamParams, {"model": "sam-vit-base"}, "`instyle models pull sam-vit-base` downloads 375"),
        (TextParams, {}, "`instyle models pull grounding-dino-tiny` downloads 689.4 MB"),
        (SamParams, {"pretrained": "owner/name"}, ""),
    ],
)
def test_without_transformers(
    kind: Any, settings: dict[str, Any], download: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params, "find_spec", lambda name: None)
    message = refuse(kind, **settings)
    name = "sam" if kind is SamParams else "text"
    assert f"`{name}` needs the package transformers" in message
    assert f"pip install 'instyle[{name}]'" in message
    assert download in message
    assert ("models pull" in message) == bool(download)


def test_every_parameter_is_described() -> None:
    for kind in (SamParams, TextParams):
        for name, field in kind.model_json_schema()["properties"].items():
            assert field.get("description"), f"{kind.__name__}.{name}"
