"""The steps of a training of a `ClickNet`, and the items that it takes."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchmetrics import MeanMetric

from instyle_click.clicks import RADIUS, Clicks, drawn, middle, next_click
from instyle_click.network import ClickNet
from instyle_click.objects import regions
from instyle_click.simulation import Example, example
from instyle_training.learner import Learner, prepared
from instyle_training.recipe import Recipe
from instyle_training.voc import IGNORED

#: The score by which the best epoch is chosen: the mean IoU after one click.
MONITOR = "val/iou_1"

#: How often a batch is looked at before the step that learns, and how likely each number is.
_ROUNDS = (0.4, 0.3, 0.2, 0.1)

#: How likely a round sets the next click; otherwise the mask so far alone is new.
_CLICKS = 0.6


class ClickLearner(Learner):
    """Simulated clicks and masks so far; the loss is cross entropy and 1 - soft IoU.

    With p the probabilities and t the object, over the n pixels that have a label::

        loss = mean(BCE(p, t)) + 1 - (sum(p t) + 1) / (sum(p + t - p t) + 1)

    Batches are those of `Examples`. The encoder's first layers, which see the photo alone, stay as
    they are; so do all statistics of its batch normalization. What is random in a step depends on
    the seed and its number alone, so that a training that is resumed goes on as one without a
    break.

    Args:
        network: to be trained.
        recipe: how to train.
        seed: of the rounds and their clicks.

    Source: Sofiiuk et al. 2021, Reviving Iterative Training with Mask Guidance, for the rounds.
    """

    network: ClickNet

    def __init__(self, network: ClickNet, recipe: Recipe, seed: int = 0) -> None:
        super().__init__(network, recipe)
        self._seed = seed
        for parameter in network.looking():
            parameter.requires_grad_(False)
        self._iou = MeanMetric()

    def training_step(self, batch: Example, _: int) -> Tensor:
        photos, seen, maps = batch
        network, dtype = self.network, self.network.mean.dtype
        draw = np.random.default_rng([self._seed, self.global_step])
        with torch.no_grad():
            features = network.look(prepared(photos, dtype))
            maps = torch.cat([maps, torch.zeros_like(maps[:, :1])], dim=1).float()
            network.eval()
            for _ in range(draw.choice(len(_ROUNDS), p=_ROUNDS)):
                found = network.decode(features, maps.to(dtype)).float().sigmoid()
                if draw.random() < _CLICKS:
                    maps = _clicked(maps, found, seen, draw)
                maps = torch.cat([maps[:, :3], found], dim=1)
            network.train()
        loss = loss_of(network.decode(features, maps.to(dtype))[:, 0].float(), seen)
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: Example, _: int) -> None:
        photos, seen, maps = batch
        if not (seen == 1).any():
            return
        maps = torch.cat([maps, torch.zeros_like(maps[:, :1])], dim=1)
        found = self.network.forward(prepared(photos, self.network.mean.dtype), maps)[:, 0] > 0
        found &= seen != IGNORED
        truth = seen == 1
        self._iou.update((found & truth).sum() / (found | truth).sum())

    def on_validation_epoch_end(self) -> None:
        # Where no photo has an object, the mean is no number, and no epoch would be the best.
        self.log(MONITOR, self._iou.compute().nan_to_num(), prog_bar=True)
        self._iou.reset()


def loss_of(logits: Tensor, seen: Tensor) -> Tensor:
    """See `ClickLearner`; pixels that are `IGNORED` do not count.

    Args:
        logits: (N, H, W).
        seen: uint8 (N, H, W): 0, 1 or `IGNORED`.
    """
    counts, truth = (seen != IGNORED).float(), (seen == 1).float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * counts
    found = logits.sigmoid() * counts
    both = (found * truth).sum(dim=(1, 2))
    either = (found + truth - found * truth).sum(dim=(1, 2))
    mean = entropy.sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1)
    return (mean + 1 - (both + 1) / (either + 1)).mean()


def _clicked(maps: Tensor, found: Tensor, seen: Tensor, draw: np.random.Generator) -> Tensor:
    """The maps with each photo's next click, as a hand would set it: off the middle a bit."""
    planes = maps.cpu().numpy().copy()
    for number, (probability, labels) in enumerate(
        zip(found[:, 0].cpu().numpy(), seen.cpu().numpy(), strict=True)
    ):
        following = next_click(labels == 1, probability >= 0.5, labels != IGNORED)
        if following is not None:
            (x, y), on = following
            dx, dy = draw.integers(-3, 4, 2).tolist()
            cv2.circle(planes[number, 0 if on else 1], (x + dx, y + dy), RADIUS, 1.0, -1)
    return torch.from_numpy(planes).to(maps.device)


class Examples:
    """Makes an `Example` out of a photo and its mask, for `Augmented`.

    Args:
        recipe: how photos are changed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __call__(self, photo: Tensor, mask: Tensor) -> Example:
        draw = np.random.default_rng(int(torch.randint(2**62, ())))
        pixels = np.ascontiguousarray(photo.permute(1, 2, 0).numpy())
        return example(pixels, mask.numpy(), self._recipe, draw)


class FirstClicks(Dataset[Example]):
    """Whole photos, each with its largest object and a click in its middle.

    Args:
        photos: items uint8 (3, H, W) and uint8 (H, W).
    """

    def __init__(self, photos: Any) -> None:
        self._photos = photos

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Example:
        photo, mask = self._photos[index]
        labels = mask.numpy()
        there = regions(labels)
        if not there:
            return photo, torch.full_like(mask, IGNORED), torch.zeros(3, *mask.shape)
        seen = np.where(labels == IGNORED, IGNORED, there[0].inside).astype(np.uint8)
        maps = drawn(Clicks(on=(middle(there[0].inside),)), labels.shape)
        return photo, torch.from_numpy(seen), torch.from_numpy(maps)
