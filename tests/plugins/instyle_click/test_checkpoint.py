"""Trained networks as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from instyle_click import checkpoint
from instyle_click.description import read_metadata
from instyle_click.network import ClickNet
from instyle_core import WeightsError

TINY = "tu-test_efficientnet"
METADATA = {"network": "click", "encoder": TINY}


@pytest.fixture(scope="module")
def network() -> ClickNet:
    torch.manual_seed(0)
    return ClickNet(encoder=TINY, std=(0.5, 0.5, 0.5)).eval()


@pytest.fixture
def file(tmp_path: Path, network: ClickNet) -> Path:
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, network)
    return path


def test_round_trip(file: Path, network: ClickNet) -> None:
    """Everything comes back, its numbers as float16 has them."""
    loaded = checkpoint.load(file)
    assert loaded.encoder_name == TINY
    assert not loaded.training
    state = loaded.state_dict()
    assert state.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert state[name].dtype == value.dtype
        expected = value.numpy()
        if value.is_floating_point():
            expected = expected.astype(np.float16).astype(np.float32)
        assert np.array_equal(state[name].numpy(), expected), name
    images, maps = torch.rand(2, 3, 50, 70), torch.rand(2, 4, 50, 70)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images, maps), network(images, maps), atol=0.02, rtol=0)


def test_files_are_of_half_size(file: Path, network: ClickNet) -> None:
    count = sum(weight.numel() for weight in network.parameters())
    assert 2 * count < file.stat().st_size < 2.2 * count
    assert {value.dtype for value in load_file(file).values()} == {torch.float16, torch.int64}


def test_it_tells_how_it_came_to_be(tmp_path: Path, network: ClickNet, file: Path) -> None:
    path = tmp_path / "a" / "new" / "folder" / "network.safetensors"
    training = {"recipe": {"epochs": 3}, "val": {"iou": {"1": 0.5}}, "photo": "Häschen"}
    checkpoint.save(path, network, training)
    metadata = read_metadata(path)
    assert (metadata.network, metadata.encoder, metadata.training) == ("click", TINY, training)
    assert read_metadata(file).training == {}


def refused(file: Path) -> str:
    """The sentence with which a file is refused; it names the file and what to do."""
    with pytest.raises(WeightsError) as error:
        checkpoint.load(file)
    assert error.value.where == str(file)
    assert error.value.hint
    assert error.value.exit_status == 3
    return error.value.what


def test_damaged(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for part in (b"", data[: len(data) // 2], data + b"\0" * 8):
        file.write_bytes(part)
        assert "no safetensors file, or it is damaged" in refused(file)
    assert "no safetensors file" in refused(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(
    "encoder", ["resnet34", "tu-test_resnet", "tu-nothing", "tu-hf-hub:user/model", ""]
)
def test_encoders_that_the_network_cannot_have(file: Path, encoder: str) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": encoder})
    assert f"encoder {encoder!r} is none of the EfficientNets of timm" in refused(file)


def test_another_encoder_than_the_tensors_are_of(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": "tu-mnasnet_small"})
    message = refused(file)
    assert message.startswith("the tensor 'encoder.")
    assert message.endswith("in the network of `click` on tu-mnasnet_small")


def test_a_tensor_is_missing_or_too_many(file: Path) -> None:
    tensors = load_file(file)
    save_file(tensors | {"optimizer.step": torch.ones(1)}, file, METADATA)
    assert "the tensor 'optimizer.step' is [1] in the file and absent in the network" in refused(
        file
    )
    del tensors["score.bias"]
    save_file(tensors, file, METADATA)
    assert "the tensor 'score.bias' is absent in the file and [1] in the network" in refused(file)


def test_values_that_are_not_finite(file: Path) -> None:
    tensors = load_file(file)
    tensors["score.bias"][0] = float("nan")
    save_file(tensors, file, METADATA)
    assert "'score.bias' has values that are not finite" in refused(file)
