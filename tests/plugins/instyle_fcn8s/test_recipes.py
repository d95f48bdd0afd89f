"""The recipes; the paper's to the letter."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import MODERN, PAPER, PRESETS
from instyle_fcn8s.training import FCNLearner
from instyle_training.encoders import IMAGENET_MEAN, IMAGENET_STD

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
        "optimizer": "sgd",
    }
    assert PRESETS == {"paper": PAPER, "modern": MODERN}


def test_the_optimizer_of_the_papers_recipe() -> None:
    """SGD on all weights alike; no schedule, no momentum."""
    network = FCN(CLASSES, encoder="tu-test_efficientnet")
    optimizer = FCNLearner(network, PAPER).configure_optimizers()
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert [id(weight) for weight in group["params"]] == [id(w) for w in network.parameters()]
    assert (group["lr"], group["weight_decay"]) == (1e-2, 1e-4)
    assert (group["momentum"], group["dampening"], group["nesterov"]) == (0, 0, False)


def test_the_normalization_of_the_paper() -> None:
    network = FCN(CLASSES, encoder="tu-test_efficientnet")
    assert (IMAGENET_MEAN, IMAGENET_STD) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert network.mean.flatten().tolist() == pytest.approx(IMAGENET_MEAN)
    assert network.std.flatten().tolist() == pytest.approx(IMAGENET_STD)
