"""Any network as a file; more of it is tested by fcn8s, which writes its files so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from instyle_core import WeightsError
from instyle_training.checkpoint import check_encoder, read_into, write


def layers(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "net.safetensors"
    write(path, layers(0), {"encoder": "none", "photo": "Häschen"})
    return path


def test_round_trip(file: Path) -> None:
    """Everything comes back, its numbers as float16 has them; the metadata, too."""
    network, source = layers(1), layers(0).state_dict()
    read_into(network, file, "this")
    assert not network.training
    for name, value in network.state_dict().items():
        assert value.dtype == source[name].dtype
        expected = source[name].numpy()
        if value.is_floating_point():
            expected = expected.astype(np.float16).astype(np.float32)
        assert np.array_equal(value.numpy(), expected), name
    with safe_open(file, framework="np") as opened:
        assert opened.metadata() == {"encoder": "none", "photo": "Häschen"}


def test_values_beyond_float16(tmp_path: Path) -> None:
    network = layers(0)
    network[0].bias.data[1] = 1e5
    write(tmp_path / "net.safetensors", network, {})
    stored = load_file(tmp_path / "net.safetensors")
    assert stored["0.bias"].dtype == torch.float32
    assert stored["0.weight"].dtype == torch.float16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"0.bias": torch.ones(5)}, r"'0\.bias' is \[5\] in the file and \[4\] in this network"),
        ({"2.bias": torch.ones(5)}, r"'2\.bias' is \[5\] in the file and absent in this network"),
        ({"0.bias": None}, r"'0\.bias' is absent in the file and \[4\] in this network"),
    ],
    ids=str,
)
def test_other_tensors(file: Path, change: dict[str, torch.Tensor | None], words: str) -> None:
    tensors = {name: value for name, value in {**load_file(file), **change}.items()}
    save_file({name: value for name, value in tensors.items() if value is not None}, file)
    network = layers(1)
    with pytest.raises(WeightsError, match=words) as caught:
        read_into(network, file, "this network")
    assert caught.value.where == str(file)
    assert torch.equal(network[0].bias, layers(1)[0].bias)


def test_encoders(tmp_path: Path) -> None:
    for name in ("resnet18", "tu-tf_efficientnet_lite0"):
        check_encoder(tmp_path, name)
    with pytest.raises(WeightsError, match="encoder 'resnet35' is unknown") as caught:
        check_encoder(tmp_path, "resnet35")
    assert caught.value.where == str(tmp_path)
