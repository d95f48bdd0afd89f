"""The optimizers of recipes, against their formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from instyle_training.learner import prepared
from tests.plugins.instyle_training.small import PLAIN, SmallLearner, small_network


def test_a_step_of_sgd() -> None:
    """w - 0.01 (gradient + 0.0001 w), for all weights alike; no momentum."""
    network = small_network()
    optimizer = SmallLearner(network, PLAIN).configure_optimizers()
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert [id(weight) for weight in group["params"]] == [id(w) for w in network.parameters()]
    assert (group["momentum"], group["dampening"], group["nesterov"]) == (0, 0, False)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for _ in range(2):
        optimizer.step()
    for name, weight in network.named_parameters():
        gradient, expected = weight.grad, before[name]
        for _ in range(2):
            expected = expected - 1e-2 * (gradient + 1e-4 * expected)
        torch.testing.assert_close(weight.detach(), expected)


def test_a_step_of_adamw() -> None:
    """The first step: w (1 - r d) - r g / (|g| + epsilon) (Loshchilov and Hutter 2019)."""
    network = small_network()
    recipe = replace(PLAIN, optimizer="adamw", learning_rate=1e-3, weight_decay=0.1, momentum=0.9)
    optimizer = SmallLearner(network, recipe).configure_optimizers()
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer.step()
    for name, weight in network.named_parameters():
        gradient = weight.grad
        assert gradient is not None
        expected = before[name] * (1 - 1e-3 * 0.1) - 1e-3 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_photos_for_a_network(dtype: torch.dtype) -> None:
    photos = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    result = prepared(photos, dtype)
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result[1, :, 3, 4], torch.tensor([0, 0.2, 1], dtype=dtype))
