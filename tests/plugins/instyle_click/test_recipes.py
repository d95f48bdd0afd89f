"""The recipe is one that the training of this network can follow."""

from __future__ import annotations

import torch

from instyle_click.network import ClickNet
from instyle_click.recipes import RECIPE
from instyle_training.learner import Learner


def test_the_recipe() -> None:
    assert RECIPE.crop % 32 == 0  # the network adds nothing to crops
    assert RECIPE.small == "pad"  # no photo is left out: crops are around objects
    assert RECIPE.scale is None  # they have a scale of their own


def test_the_optimizer() -> None:
    learner = Learner(ClickNet(encoder="tu-test_efficientnet"), RECIPE)
    trainer = type("Trainer", (), {"datamodule": type("Data", (), {"batches": 3})})
    learner._trainer = trainer  # type: ignore[assignment]
    optimizer = learner.configure_optimizers()["optimizer"]
    assert type(optimizer) is torch.optim.AdamW
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (1e-3, 1e-3)
