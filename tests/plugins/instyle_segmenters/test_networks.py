"""What the networks of others share: their weights, right and wrong ones, and what they see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from instyle_core import WeightsError, testing
from instyle_segmenters.networks import enlarged, load_state, normalized, read_state, shrunk

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


# --- sizes and colors -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 6), (40, 60), (17, 23)], ids=str)
def test_a_picture_is_shrunk_with_antialiasing(size: tuple[int, int]) -> None:
    """As Pillow does it, which filters by the factor."""
    image = testing.picture(40, 60)
    found = shrunk(image, size)
    assert found.shape == (1, 3, *size)
    for channel, plane in zip(found[0], image, strict=True):
        theirs = Image.fromarray(plane.numpy(), mode="F").resize(
            size[::-1], Image.Resampling.BILINEAR
        )
        assert np.abs(channel.numpy() - np.asarray(theirs)).max() < 1e-5


@pytest.mark.parametrize("size", [(5, 4), (10, 12), (31, 7)], ids=str)
def test_enlarged_probabilities_still_sum_to_one(size: tuple[int, int]) -> None:
    small = torch.rand(4, 5, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    large = enlarged(small, size)
    assert large.shape == (4, *size)
    torch.testing.assert_close(large.sum(dim=0), torch.ones(size))
    assert bool((large >= 0).all())


def test_a_ramp_is_enlarged_evenly() -> None:
    """Pixel centers of the large map lie at quarters between those of the small one."""
    large = enlarged(torch.tensor([[[0.0, 1.0, 2.0]]]), (1, 6))
    assert large.flatten().tolist() == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2])


def test_channels_are_normalized_each_by_its_own_numbers() -> None:
    image = torch.tensor([0.5, 0.5, 1.0]).view(1, 3, 1, 1)
    found = normalized(image, (0.25, 0.5, 0.0), (0.5, 0.25, 4.0))
    assert found.flatten().tolist() == [0.5, 0, 0.25]
