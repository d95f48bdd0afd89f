"""The photos of a training: opened, read once, and chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from instyle_core import InputError
from instyle_training.progress import counted
from instyle_training.recipe import Recipe
from instyle_training.voc import Photos, Summary, open_sbd, open_voc, summarize


def open_photos(data: Path, sbd: Path | None) -> tuple[list[Photos], Photos]:
    """VOC's photos to train on, with SBD's unless VOC has them too, and VOC's to validate on.

    Raises:
        InputError: as `open_voc` and `open_sbd` do.
    """
    train, val = [open_voc(data, "train")], open_voc(data, "val")
    if sbd is not None:
        train.append(open_sbd(sbd, without=[*train[0].names, *val.names]))
    return train, val


def summaries(train: Sequence[Photos], val: Photos) -> tuple[Summary, Summary]:
    """Read all photos to train on, and all to validate on, with a progress bar.

    Raises:
        InputError: as `Photos` does.
    """
    with counted("reading every photo", sum(map(len, [*train, val]))) as on_photo:
        val_summary = summarize([val], on_photo)
        return summarize(train, on_photo), val_summary


def chosen(summary: Summary, recipe: Recipe) -> list[int]:
    """The numbers of the photos that a recipe trains on.

    Raises:
        InputError: they are less than a batch.
    """
    numbers = [
        number
        for number, size in enumerate(summary.sizes)
        if recipe.small == "pad" or min(size) >= recipe.crop
    ]
    if len(numbers) < recipe.batch:
        raise InputError(
            f"{len(numbers)} of {len(summary.sizes)} photos can be trained on, which is less than "
            f"a batch of {recipe.batch}",
            where="--data",
            hint="lower --batch"
            + (" or --crop: photos smaller than it are skipped" if recipe.small == "skip" else ""),
        )
    return numbers
