"""Weights of segmentation-models-pytorch, from a folder or a file, good ones and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file

from instyle_core import InputError, Prompt, WeightsError, testing
from instyle_segmenters.params import SmpParams
from tests.plugins.instyle_segmenters.smp_networks import NAMES, by_hand, segmenter

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_a_folder_is_read_as_smp_reads_it(
    unet_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the download of ImageNet weights, which the folder's description asks for."""
    assert json.loads((unet_folder / "config.json").read_text())["encoder_weights"] == "imagenet"
    ours = segmenter(pretrained=unet_folder, classes=NAMES)
    image = testing.picture(128, 128)
    seen = testing.check_segmenter(ours, image, Prompt())
    assert capsys.readouterr() == ("", "")  # standard output belongs to the command
    theirs = smp.from_pretrained(str(unet_folder), encoder_weights=None)
    expected = by_hand(theirs, image, 128, 128).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"architecture": "fpn"}, "of the architecture unet, not fpn"),
        ({"encoder": "resnet18"}, "of the encoder mobilenet_v2, not resnet18"),
    ],
)
def test_a_folder_of_another_network(unet_folder: Path, keys: dict[str, str], words: str) -> None:
    with pytest.raises(WeightsError, match=words) as caught:
        segmenter(pretrained=unet_folder, classes=NAMES, **keys)
    assert caught.value.where == str(unet_folder / "config.json")
    segmenter(pretrained=unet_folder, classes=NAMES, architecture="Unet", encoder="mobilenet_v2")


def broken(unet_folder: Path, tmp_path: Path, change: Callable[[Path], None]) -> WeightsError:
    """The error of a folder in which something was changed."""
    copy = tmp_path / "net"
    copy.mkdir()
    for name in ("config.json", "model.safetensors"):
        (copy / name).write_bytes((unet_folder / name).read_bytes())
    change(copy)
    with pytest.raises(WeightsError) as caught:
        segmenter(pretrained=copy, classes=NAMES)
    return caught.value


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"_model_class": "Unet"}', "[" * 100_000, "9" * 9999]
)
def test_a_description_that_is_none(unet_folder: Path, tmp_path: Path, text: str) -> None:
    error = broken(unet_folder, tmp_path, lambda copy: (copy / "config.json").write_text(text))
    assert "does not describe a network" in error.what
    assert error.where == str(tmp_path / "net" / "config.json")


def test_weights_that_are_damaged(unet_folder: Path, tmp_path: Path) -> None:
    def cut(copy: Path) -> None:
        path = copy / "model.safetensors"
        path.write_bytes(path.read_bytes()[:1000])

    error = broken(unet_folder, tmp_path, cut)
    assert "damaged" in error.what
    assert error.where == str(tmp_path / "net" / "model.safetensors")


def test_pictures_with_other_channels(unet_folder: Path, tmp_path: Path) -> None:
    def infrared(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "in_channels": 4}))

    assert "4 channels" in broken(unet_folder, tmp_path, infrared).what


@pytest.mark.parametrize(
    "keys",
    [
        {"encoder": "resnet18"},
        {"encoder": "mobilenet_v2", "architecture": "fpn"},
        {"encoder": "mobilenet_v2", "options": {"decoder_channels": [16, 16, 16, 16, 16]}},
    ],
)
def test_weights_of_another_network(unet_file: Path, keys: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="of another network than") as caught:
        segmenter(weights=unet_file, classes=NAMES, **keys)
    assert caught.value.where == str(unet_file)
    assert keys["encoder"] in caught.value.what
    assert keys.get("architecture", "unet") in caught.value.what
    assert "in the file" in caught.value.what


def test_weights_of_no_segmentation(tmp_path: Path) -> None:
    for name, value in (
        ("conv1.weight", torch.ones(2)),
        ("segmentation_head.0.bias", torch.ones(())),
    ):
        save_file({name: value}, tmp_path / "net.safetensors")
        with pytest.raises(WeightsError, match="no segmentation head") as caught:
            segmenter(weights=tmp_path / "net.safetensors")
        assert caught.value.where == str(tmp_path / "net.safetensors")


def test_a_checkpoint_that_a_description_names_is_not_read(tmp_path: Path) -> None:
    """Older versions of timm unpickle it."""
    encoder = "tu-tf_mobilenetv3_small_075"
    with torch.random.fork_rng():
        network = smp.Unet(encoder, encoder_weights=None, classes=2)
    network.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    changed = {**config, "checkpoint_path": str(tmp_path / "missing.pth")}
    (tmp_path / "config.json").write_text(json.dumps(changed))
    segmenter(pretrained=tmp_path, classes=NAMES[:2])


@pytest.mark.parametrize("encoder", ["tu-hf-hub:timm/resnet18.a1_in1k", "tu-hf_hub:a/b", "../x"])
def test_encoders_on_a_hub_are_refused(unet_folder: Path, tmp_path: Path, encoder: str) -> None:
    """They would be downloaded, whatever the file's description may say."""
    with pytest.raises(ValueError, match="encoder"):
        SmpParams(weights=unet_folder / "config.json", encoder=encoder)

    def rename(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "encoder_name": encoder}))

    with pytest.raises(InputError, match="no encoder"):
        broken(unet_folder, tmp_path, rename)
