"""The recipes; the paper's to the letter."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from instyle_fcn8s.network import FCN, IMAGENET_MEAN, IMAGENET_STD
from instyle_fcn8s.recipes import MODERN, PAPER, PRESETS
from instyle_fcn8s.training import _Module

CLASSES = ("background", "cat", "dog")


def test_the_papers_recipe() -> None:
    assert asdict(PAPER) == {
        "epochs": 20,
        "batch": 8,
        "learning_rate": 1e-2,
        "momentum": 0,
        "weight_decay": 1e-4,
        "schedule": "constant",
        "crop": 224,
        "scale": None,
        "flip": False,
        "color": 0,
        "small": "skip",
        "average": 0,
        "precision": "32-true",
    }
    assert PRESETS == {"paper": PAPER, "modern": MODERN}


def test_the_optimizer_of_the_papers_recipe() -> None:
    """SGD on all weights alike; no schedule, no momentum."""
    network = FCN(CLASSES, encoder="tu-test_efficientnet")
    optimizer = _Module(network, PAPER, photos=80).configure_optimizers()
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert [id(weight) for weight in group["params"]] == [id(w) for w in network.parameters()]
    assert (group["lr"], group["weight_decay"]) == (1e-2, 1e-4)
    assert (group["momentum"], group["dampening"], group["nesterov"]) == (0, 0, False)


def test_a_step_of_the_papers_recipe() -> None:
    """w - 0.01 (gradient + 0.0001 w)."""
    network = FCN(CLASSES, encoder="tu-test_efficientnet")
    optimizer = _Module(network, PAPER, photos=80).configure_optimizers()
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for _ in range(2):
        optimizer.step()
    for name, weight in network.named_parameters():
        gradient, expected = weight.grad, before[name]
        for _ in range(2):
            expected = expected - 1e-2 * (gradient + 1e-4 * expected)
        torch.testing.assert_close(weight.detach(), expected)


def test_the_normalization_of_the_paper() -> None:
    network = FCN(CLASSES, encoder="tu-test_efficientnet")
    assert (IMAGENET_MEAN, IMAGENET_STD) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert network.mean.flatten().tolist() == pytest.approx(IMAGENET_MEAN)
    assert network.std.flatten().tolist() == pytest.approx(IMAGENET_STD)
