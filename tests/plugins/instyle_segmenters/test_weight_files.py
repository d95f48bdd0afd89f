"""Weights of another network, and of the right one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from instyle_core import WeightsError
from instyle_segmenters.networks import load_state, read_state

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "model.module."])
def test_prefixes_of_training_programs_are_left_out(tmp_path: Path, prefix: str) -> None:
    torch.save({prefix + name: tensor for name, tensor in STATE.items()}, tmp_path / "net.ckpt")
    state = read_state(tmp_path / "net.ckpt")
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 2)


def test_weights_are_put_into_a_network_that_is_ready_then() -> None:
    network = Net()
    load_state(network, STATE, Path("net.pth"), "net")
    assert torch.equal(network.a.weight, STATE["a.weight"])
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a.weight": torch.ones(2, 3)}, "'a.bias' is absent in the file and [2] in the network"),
        ({**STATE, "b": torch.ones(1)}, "'b' is [1] in the file and not known in the network"),
        (
            {**STATE, "a.bias": torch.ones(5)},
            "'a.bias' is [5] in the file and [2] in the network",
        ),
    ],
)
def test_weights_of_another_network(state: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(WeightsError) as caught:
        load_state(Net(), state, Path("net.pth"), "net on encoder")
    assert words in caught.value.what
    assert "net on encoder" in caught.value.what
    assert caught.value.where == "net.pth"
