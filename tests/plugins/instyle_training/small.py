"""A small network and how it is trained: it tells objects from background."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_training.learner import Learner, prepared
from instyle_training.recipe import Recipe
from tests.plugins.instyle_training.shapes import IGNORED

#: Nothing is changed in photos, and SGD goes on at one rate.
PLAIN = Recipe(
    epochs=2,
    batch=8,
    learning_rate=1e-2,
    momentum=0.0,
    weight_decay=1e-4,
    schedule="constant",
    crop=48,
    scale=None,
    flip=False,
    color=0.0,
    small="skip",
    average=0.0,
    precision="32-true",
)

#: All of it.
RICH = replace(
    PLAIN,
    epochs=6,
    batch=4,
    learning_rate=0.1,
    momentum=0.9,
    schedule="poly",
    scale=(0.8, 1.25),
    flip=True,
    color=0.3,
    small="pad",
    average=0.5,
)


class SmallNetwork(nn.Module):
    """Scores every pixel of (N, 3, H, W): (N, H, W), above 0 for an object."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = smp.encoders.get_encoder("tu-test_efficientnet", weights=None)
        widths = self.encoder.out_channels[2:]
        self.score = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)

    def forward(self, images: Tensor) -> Tensor:
        maps = zip(self.score, self.encoder(images - 0.5)[2:], strict=True)
        size = images.shape[-2:]
        return sum(F.interpolate(score(each), size, mode="bilinear")[:, 0] for score, each in maps)


class SmallLearner(Learner):
    """Its score is the IoU of all objects together."""

    network: SmallNetwork

    def __init__(self, network: SmallNetwork, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        self._both = self._either = 0

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        photos, masks = batch
        scores = self.network(self._prepared(photos)).float()
        weights = (masks != IGNORED).float()
        loss = F.binary_cross_entropy_with_logits(scores, (masks > 0).float(), weights)
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        photos, masks = batch
        both, either = overlap(self.network(self._prepared(photos)) > 0, masks)
        self._both += both
        self._either += either

    def on_validation_epoch_end(self) -> None:
        self.log("val/iou", self._both / max(self._either, 1))
        self._both = self._either = 0

    def _prepared(self, photos: Tensor) -> Tensor:
        return prepared(photos, next(self.network.parameters()).dtype)


def overlap(found: Tensor, masks: Tensor) -> tuple[int, int]:
    """The pixels that are in both, and those in either; none that is ignored."""
    true, known = masks > 0, masks != IGNORED
    return int((found & true & known).sum()), int(((found | true) & known).sum())


def small_network() -> Any:
    torch.manual_seed(0)
    return SmallNetwork()
