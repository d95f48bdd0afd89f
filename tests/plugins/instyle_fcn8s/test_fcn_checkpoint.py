"""Trained networks as files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from instyle_core import WeightsError
from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN

CLASSES = ("background", "cat", "dog")
METADATA = {"classes": json.dumps(CLASSES), "encoder": "mobilenet_v2", "variant": "16s"}


@pytest.fixture(scope="module")
def network() -> FCN:
    torch.manual_seed(0)
    return FCN(CLASSES, encoder="mobilenet_v2", variant="16s", std=(0.5, 0.5, 0.5)).eval()


@pytest.fixture
def file(tmp_path: Path, network: FCN) -> Path:
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, network)
    return path


def test_round_trip(file: Path, network: FCN) -> None:
    loaded = checkpoint.load(file)
    assert (loaded.classes, loaded.encoder_name, loaded.variant) == (
        CLASSES,
        "mobilenet_v2",
        "16s",
    )
    assert not loaded.training
    images = torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))


def refused(file: Path) -> str:
    """The sentence with which a file is refused; it names the file and what to do."""
    with pytest.raises(WeightsError) as error:
        checkpoint.load(file)
    assert error.value.where == str(file)
    assert error.value.hint
    return error.value.what


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\x00" * 100,
        lambda data: b"<html>not found</html>" * 10,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: data + b"\0" * 8,
    ],
    ids=["empty", "zeros", "html", "half", "one byte short", "header only", "too long"],
)
def test_damaged(file: Path, damage: Callable[[bytes], bytes]) -> None:
    file.write_bytes(damage(file.read_bytes()))
    assert "no safetensors file, or it is damaged" in refused(file)


def test_missing(tmp_path: Path) -> None:
    assert "no safetensors file" in refused(tmp_path / "nowhere.safetensors")


def test_a_folder(tmp_path: Path) -> None:
    assert "no safetensors file" in refused(tmp_path)


def test_no_metadata_at_all(file: Path) -> None:
    save_file(load_file(file), file)
    assert "classes: Field required" in refused(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", None),
        ("encoder", None),
        ("variant", None),
        ("classes", "background, cat"),
        ("classes", '{"background": 0}'),
        ("classes", "[1, 2, 3]"),
        ("classes", '["background"]'),
        ("variant", "4s"),
    ],
)
def test_bad_metadata(file: Path, key: str, value: str | None) -> None:
    metadata = {name: text for name, text in METADATA.items() if name != key}
    save_file(load_file(file), file, metadata | ({key: value} if value else {}))
    message = refused(file)
    assert "does not describe a network" in message
    assert key in message


@pytest.mark.parametrize("encoder", ["resnet35", "tu-nothing", "tu-hf-hub:user/model", ""])
def test_unknown_encoder(file: Path, encoder: str) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": encoder})
    assert f"encoder {encoder!r} is unknown" in refused(file)


def test_other_encoder_than_the_tensors_are_of(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": "resnet18"})
    assert "the tensor 'encoder.conv1.weight' is absent in the file" in refused(file)


def test_other_number_of_classes(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"classes": '["background", "cat"]'})
    assert (
        "the tensor 'score.32.weight' is [3, 1280, 1, 1] in the file and [2, 1280, 1, 1] in "
        "FCN-16s on mobilenet_v2 with 2 classes" in refused(file)
    )


def test_other_variant(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"variant": "8s"})
    assert "the tensor 'score.8.weight' is absent in the file" in refused(file)


def test_a_tensor_too_many(file: Path) -> None:
    save_file(load_file(file) | {"optimizer.step": torch.ones(1)}, file, METADATA)
    assert "the tensor 'optimizer.step' is [1] in the file and absent in FCN-16s" in refused(file)
