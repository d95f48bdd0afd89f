"""Augmentation of training photos: random scales, crops, mirroring and colors."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler
from torchvision import tv_tensors
from torchvision.transforms import v2

from instyle_training.recipe import Recipe
from instyle_training.voc import IGNORED

#: What is put around photos that are too small: gray, about the mean of all photos.
_GRAY = (124, 116, 104)

Item = TypeVar("Item")


class Augmented(Dataset[Item], Generic[Item]):
    """Photos that are changed at random, in the same way for the same epoch and seed.

    Items are asked for by the numbers that `Shuffled` draws. What is random depends only on seed,
    epoch and photo: a training that was resumed sees the same as one without a break, whatever the
    number of workers.

    Args:
        photos: items uint8 (3, H, W) and uint8 (H, W).
        change: makes an item out of a photo and its mask, such as `Crops`. All that it draws must
            come from torch's global generator, which is seeded for it.
        seed: of all that is random.
    """

    def __init__(
        self,
        photos: Dataset[tuple[Tensor, Tensor]],
        change: Callable[[Tensor, Tensor], Item],
        seed: int,
    ) -> None:
        self._photos = photos
        self._change = change
        self._seed = seed

    def __len__(self) -> int:
        return len(self._photos)  # type: ignore[arg-type]

    def __getitem__(self, number: int) -> Item:
        epoch, index = divmod(number, len(self))
        photo, mask = self._photos[index]
        with torch.random.fork_rng(devices=[]):
            mixed = np.random.SeedSequence([self._seed, epoch, index]).generate_state(1)
            torch.manual_seed(int(mixed[0]))
            return self._change(photo, mask)


class Crops:
    """Random crops of photos with their masks, as a recipe says.

    Called with a photo, uint8 (3, H, W), and its mask, uint8 (H, W), it returns a crop of both,
    uint8 (3, S, S) and (S, S). Pixels that are added around a small photo are `IGNORED`.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._transform = _transform(recipe)

    def __call__(self, photo: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        photo, mask = self._transform(tv_tensors.Image(photo), tv_tensors.Mask(mask))
        return photo.as_subclass(Tensor), mask.as_subclass(Tensor)


class Shuffled(DistributedSampler[Any]):
    """An order of the photos, another one each epoch; numbers of later epochs follow on.

    Args:
        photos: to be shuffled.
        seed: of the order.
        world: how many processes share the photos.
        rank: which one this is.
        epoch: returns the epoch, whenever an order is asked for. (The one that Lightning gives to
            `set_epoch` is wrong after a resume.)
    """

    def __init__(
        self, photos: Dataset[Any], seed: int, world: int, rank: int, epoch: Callable[[], int]
    ) -> None:
        super().__init__(photos, world, rank, seed=seed, drop_last=True)
        self._current_epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.set_epoch(self._current_epoch())
        first = self.epoch * len(self.dataset)  # type: ignore[arg-type]
        return (first + index for index in super().__iter__())


def _transform(recipe: Recipe) -> v2.Transform:
    steps: list[v2.Transform] = []
    if recipe.scale:
        steps.append(_RandomScale(recipe.scale))
    fill = {tv_tensors.Image: _GRAY, tv_tensors.Mask: IGNORED}
    steps.append(v2.RandomCrop(recipe.crop, pad_if_needed=recipe.small == "pad", fill=fill))
    if recipe.flip:
        steps.append(v2.RandomHorizontalFlip())
    if recipe.color:
        amount = recipe.color
        steps.append(v2.ColorJitter(amount, amount, amount, hue=amount / 5))
    return v2.Compose(steps)


class _RandomScale(v2.Transform):  # type: ignore[misc]
    """Scales by a random factor, uniform on a logarithmic scale."""

    def __init__(self, scale: tuple[float, float]) -> None:
        super().__init__()
        self._low, self._high = scale

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        factor = self._low * (self._high / self._low) ** float(torch.rand(()))
        height, width = v2.query_size(flat_inputs)
        return {"size": [max(1, round(height * factor)), max(1, round(width * factor))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.resize, inpt, size=params["size"], antialias=True)
