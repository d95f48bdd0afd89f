"""``instyle fcn8s train``, from options to a file of weights."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from torch.utils.data import ConcatDataset, Subset

from instyle_core import InputError
from instyle_fcn8s import checkpoint
from instyle_fcn8s.description import Variant
from instyle_fcn8s.evaluation import evaluate
from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import PRESETS
from instyle_fcn8s.training import MONITOR, FCNLearner, Labeled, LabeledCrops
from instyle_training import encoders
from instyle_training.augment import Augmented
from instyle_training.folder import check_folder, write_settings
from instyle_training.photos import chosen, open_photos, summaries
from instyle_training.training import Hardware, fit
from instyle_training.voc import CLASSES, Photos, renumbering


def run(
    data: Path,
    sbd: Path | None,
    output: Path,
    encoder: str,
    encoder_weights: str,
    variant: Variant,
    preset: str,
    classes: str | None,
    seed: int,
    resume: bool,
    export: Path | None,
    changes: dict[str, Any],
    hardware: Hardware,
) -> None:
    """See ``instyle fcn8s train --help``.

    Raises:
        InputError: the data, an option or the folder to write to cannot be used.
        WeightsError: the encoder's weights cannot be downloaded or used.
    """
    recipe = replace(PRESETS[preset], **changes)
    if recipe.batch == 1 and recipe.crop <= 32:
        raise InputError(
            "one crop of 32 pixels a step is one cell at stride 32, which cannot be normalized",
            where="--crop",
            hint="raise --batch or --crop",
        )
    names = _classes(classes)
    L.seed_everything(seed, workers=True, verbose=False)
    network = _network(names, encoder, encoder_weights if not resume else "none", variant)

    train, val = open_photos(data, sbd)
    summary, val_summary = summaries(train, val)
    numbers = chosen(summary, recipe)
    training = {
        "recipe": {"preset": preset, **asdict(recipe)},
        "classes": list(names),
        "encoder": encoder,
        "encoder_weights": Path(encoder_weights).name,
        "variant": variant,
        "seed": seed,
        "photos": len(numbers),
        "photos_with_class": {name: summary.photos.get(name, 0) for name in names},
        "list_sha256": summary.sha256,
        "val_list_sha256": val_summary.sha256,
    }
    check_folder(output, training, resume=resume)
    if not resume:
        write_settings(output, training)
    photos: Any = Subset(ConcatDataset(train), numbers)
    labels = renumbering(names)
    fit(
        FCNLearner(network, recipe),
        Augmented(photos, LabeledCrops(recipe, labels), seed),
        Labeled(val, labels),
        recipe,
        hardware,
        output,
        monitor=MONITOR,
        seed=seed,
        resume=resume,
        bar=Console(stderr=True).is_interactive,
    )
    path = export or output / f"fcn{variant}-{encoder}.safetensors"
    _export(network, path, training, val)


def _network(names: Sequence[str], encoder: str, start: str, variant: Variant) -> FCN:
    encoders.check(encoder)
    mean, std = encoders.normalization(encoder)
    try:
        network = FCN(names, encoder=encoder, variant=variant, mean=mean, std=std)
        with torch.no_grad():
            size = network.eval()(torch.zeros(1, 3, 64, 96)).shape[-2:]
        fits = tuple(size) == (64, 96)
    except Exception:  # whatever smp, timm and torch raise for an encoder that does not fit
        fits = False
    if not fits:
        raise InputError(
            f"the encoder {encoder} has no feature maps of strides 8, 16 and 32 for any picture, "
            "which FCN-8s scores",
            where="--encoder",
            hint="choose another, such as resnet34 or tu-tf_efficientnet_lite0",
        )
    network.train()
    if start == "imagenet":
        encoders.load_imagenet_into(network.encoder, encoder)
    elif start != "none":
        encoders.load_file_into(network.encoder, Path(start))
    return network


def _classes(written: str | None) -> tuple[str, ...]:
    if written is None:
        return CLASSES
    names = [name.strip() for name in written.split(",")]
    for name in names:
        if name not in CLASSES[1:]:
            raise InputError(
                f"'{name}' is no class of VOC",
                where="--classes",
                hint=f"choose from {', '.join(CLASSES[1:])}",
            )
    return (CLASSES[0], *(name for name in CLASSES if name in names))


@rank_zero_only
def _export(network: FCN, path: Path, training: dict[str, Any], val: Photos) -> None:
    """Evaluate the network on the validation photos, and write it with the scores."""
    network = network.eval().cpu().float()
    with torch.no_grad():
        result = evaluate(
            lambda picture: network(picture[None])[0].argmax(dim=0),
            val,
            network.classes,
            lambda: None,
        )
    val_figures = {"photos": len(val), **result.summary()}
    checkpoint.save(path, network, {**training, "val": val_figures})
    click.echo(f"{path}: mean IoU {result.figures.mean_iou:.4f} on {len(val)} photos of val")
