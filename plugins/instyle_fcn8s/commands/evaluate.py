"""``instyle fcn8s evaluate``, from options to tables and overlays."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchvision.utils import draw_segmentation_masks

from instyle_core import Prompt, fetch
from instyle_fcn8s.description import read_metadata
from instyle_fcn8s.evaluation import Evaluation, evaluate
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.segmenter import FCN8s
from instyle_fcn8s.weights import ANIMALS
from instyle_training.progress import counted
from instyle_training.voc import IGNORED, Photos, Split, open_voc, renumbering


def run(
    data: Path,
    split: Split,
    weights: Path | None,
    size: int | None,
    mirror: bool,
    scales: tuple[float, ...],
    prior: float | None,
    overlays: Path | None,
    count: int,
    as_json: bool,
) -> None:
    """See ``instyle fcn8s evaluate --help``."""
    photos = open_voc(data, split)
    path = weights or fetch(ANIMALS)
    metadata = read_metadata(path)
    given: dict[str, Any] = {"size": size, "scales": scales or None, "prior": prior}
    given = {name: value for name, value in given.items() if value is not None}
    params = FCN8sParams(weights=path, mirror=mirror, **given)
    segmenter = FCN8s(params)

    def segment(picture: Tensor) -> Tensor:
        return segmenter.segment(picture, Prompt()).probabilities.argmax(dim=0)

    with counted("segmenting", len(photos)) as on_photo:
        result = evaluate(segment, photos, metadata.classes, on_photo)
    if overlays:
        _draw(overlays, count, result, photos, segment, metadata.classes)
    if as_json:
        facts = {"weights": str(path), "split": split, "photos": len(photos)}
        click.echo(json.dumps({**facts, **result.summary(), "each": result.photos}, indent=2))
    else:
        _print(result, f"{path.name} on {len(photos)} photos of {split}")


def _print(result: Evaluation, title: str) -> None:
    figures = result.figures
    table = Table("class", title=title, title_justify="left")
    for heading in ("IoU", "pixel accuracy", "boundary F"):
        table.add_column(heading, justify="right", overflow="fold")

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.4f}"

    for name, iou in figures.iou.items():
        row = (iou, figures.accuracy.get(name), result.boundary.get(name))
        table.add_row(name, *map(shown, row))
    console = Console()
    console.print(table)
    for name, value in (
        ("pixel accuracy", figures.pixel_accuracy),
        ("mean pixel accuracy", figures.mean_accuracy),
        ("mean IoU", figures.mean_iou),
        ("frequency-weighted IoU", figures.weighted_iou),
        ("mean boundary F", result.mean_boundary),
    ):
        console.print(f"{name:>22}  {value:.4f}", highlight=False)


def _draw(
    folder: Path, count: int, result: Evaluation, photos: Photos, segment: Any, classes: list[str]
) -> None:
    """Save the best and the worst photos, what was found beside the true classes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(result.photos)
    numbers = renumbering(classes)
    chosen = [("best", name) for name in names[:count]]
    chosen += [("worst", name) for name in reversed(names[max(count, len(names) - count) :])]
    for rank, (kind, name) in enumerate(chosen):
        photo, mask = photos[photos.names.index(name)]
        found = segment(photo.float() / 255)
        pair = [overlay(photo, labels, len(classes)) for labels in (found, numbers[mask.long()])]
        picture = torch.cat(pair, dim=2 if photo.shape[1] > photo.shape[2] else 1)
        place = rank % count + 1 if kind == "best" else rank - min(count, len(names)) + 1
        path = folder / f"{kind}-{place:02}-{name}.png"
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)


def overlay(photo: Tensor, labels: Tensor, count: int) -> Tensor:
    """A photo with its classes in colors: uint8 (3, H, W).

    Args:
        photo: uint8 (3, H, W).
        labels: (H, W): class numbers below `count`, or `IGNORED`, which is shown white.
        count: of classes, background included.
    """
    shown = [labels == number for number in range(1, count)] + [labels == IGNORED]
    colors = [_COLORS[n % len(_COLORS)] for n in range(count - 1)] + ["white"]
    return draw_segmentation_masks(photo, torch.stack(shown).cpu(), alpha=0.55, colors=colors)


_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c")
