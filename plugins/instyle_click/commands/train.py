"""``instyle click train``, from options to a file of weights."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import lightning as L
import numpy as np
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from torch.utils.data import ConcatDataset, Subset

from instyle_click import checkpoint
from instyle_click.commands.evaluate import numbers_of
from instyle_click.evaluation import evaluate, groups
from instyle_click.looks import look_twice
from instyle_click.network import ClickNet, fits
from instyle_click.params import ClickParams
from instyle_click.recipes import RECIPE
from instyle_click.training import MONITOR, ClickLearner, Examples, FirstClicks
from instyle_core import InputError
from instyle_training import encoders
from instyle_training.augment import Augmented
from instyle_training.folder import check_folder, write_settings
from instyle_training.photos import chosen, open_photos, summaries
from instyle_training.training import Hardware, fit
from instyle_training.voc import Photos


def run(
    data: Path,
    sbd: Path | None,
    output: Path,
    encoder: str,
    encoder_weights: str,
    start: Path | None,
    without: str | None,
    seed: int,
    resume: bool,
    export: Path | None,
    changes: dict[str, Any],
    hardware: Hardware,
) -> None:
    """See ``instyle click train --help``.

    Raises:
        InputError: the data, an option or the folder to write to cannot be used.
        WeightsError: the weights to start from cannot be downloaded or used.
    """
    recipe = replace(RECIPE, **changes)
    left_out = numbers_of(without)
    L.seed_everything(seed, workers=True, verbose=False)
    network = _network(encoder, encoder_weights if not resume else "none", start)

    train, val = open_photos(data, sbd)
    summary, val_summary = summaries(train, val)
    everything: Any = ConcatDataset(train)
    numbers = _without(left_out, everything, chosen(summary, recipe))
    if len(numbers) < recipe.batch:
        raise InputError(
            f"{len(numbers)} photos are left, which is less than a batch of {recipe.batch}",
            where="--without",
            hint="leave out fewer classes, or lower --batch",
        )
    training = {
        "recipe": asdict(recipe),
        "encoder": network.encoder_name,
        "encoder_weights": start.name if start else Path(encoder_weights).name,
        "without": sorted(left_out),
        "seed": seed,
        "photos": len(numbers),
        "list_sha256": summary.sha256,
        "val_list_sha256": val_summary.sha256,
    }
    check_folder(output, training, resume=resume)
    if not resume:
        write_settings(output, training)
    fit(
        ClickLearner(network, recipe, seed),
        Augmented(Subset(everything, numbers), Examples(recipe), seed),
        FirstClicks(val),
        recipe,
        hardware,
        output,
        monitor=MONITOR,
        seed=seed,
        resume=resume,
        bar=Console(stderr=True).is_interactive,
    )
    _export(network, export or output / "click.safetensors", training, val)


def _network(encoder: str, weights: str, start: Path | None) -> ClickNet:
    if start is not None:
        return checkpoint.load(start).train()
    encoders.check(encoder)
    if not fits(encoder):
        raise InputError(
            f"the encoder {encoder} is none of timm's EfficientNets, whose stages the network "
            "needs",
            where="--encoder",
            hint="choose one such as tu-tf_efficientnet_lite0",
        )
    mean, std = encoders.normalization(encoder)
    network = ClickNet(encoder=encoder, mean=mean, std=std)
    if weights == "imagenet":
        encoders.load_imagenet_into(network.encoder, encoder)
    elif weights != "none":
        encoders.load_file_into(network.encoder, Path(weights))
    return network


def _without(left_out: set[int], photos: Any, numbers: list[int]) -> list[int]:
    """The numbers of those photos that show none of some classes."""
    if not left_out:
        return numbers
    return [n for n in numbers if not np.isin(photos[n][1].numpy(), list(left_out)).any()]


@rank_zero_only
def _export(network: ClickNet, path: Path, training: dict[str, Any], val: Photos) -> None:
    """Evaluate the network on the largest object of the validation photos, and write it."""
    network = network.eval().cpu().float()
    size = ClickParams().size
    results = evaluate(
        lambda photo, clicks: look_twice(network, photo, clicks, size),
        val,
        lambda: None,
        most=5,
        all_objects=False,
    )
    figures = groups(results, 5)["largest"]
    checkpoint.save(path, network, {**training, "val": {"photos": len(val), **figures}})
    ious = ", ".join(f"{iou:.3f} after {n}" for n, iou in figures.get("iou", {}).items())
    told = f"IoU {ious} clicks on" if ious else "there was nothing to click on in"
    click.echo(f"{path}: {told} {len(val)} photos of val")
