"""What is trained: a network with the optimizer of a recipe."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from instyle_training.recipe import Recipe


class Learner(L.LightningModule):
    """A network and its optimizer; a class of the network's own adds the steps.

    That class has `training_step`, which returns the loss and calls `log_loss`, `validation_step`,
    and `on_validation_epoch_end`, which logs the score by which the best epoch is chosen. It is
    copied for the moving average, so it must not refer to the data or the trainer.

    Args:
        network: to be trained; every parameter that takes a gradient is.
        recipe: how to train.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe

    def log_loss(self, loss: Tensor) -> None:
        """Log the loss of a training step, and its learning rate."""
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/learning_rate", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Lightning forgets the best checkpoint if the folder has been moved.
        for state in checkpoint["callbacks"].values():
            if "dirpath" in state:
                state["dirpath"] = self.trainer.checkpoint_callback.dirpath  # type: ignore[union-attr]

    def configure_optimizers(self) -> Any:
        recipe = self._recipe
        optimizer = _optimizer(self.network, recipe)
        if recipe.schedule == "constant":
            return optimizer
        # Lightning's estimate of the steps starts the loader before the epoch is known.
        steps = recipe.epochs * self.trainer.datamodule.batches  # type: ignore[attr-defined]
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, power=0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    common: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), **common)
    return torch.optim.SGD(network.parameters(), momentum=recipe.momentum, **common)


def prepared(photos: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert uint8 (N, C, H, W) to [0, 1], channels last: the fastest memory format here."""
    return (photos.to(dtype) / 255).contiguous(memory_format=torch.channels_last)
