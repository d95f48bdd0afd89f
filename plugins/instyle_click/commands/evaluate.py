"""``instyle click evaluate``, from options to a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from instyle_click import checkpoint
from instyle_click.evaluation import TOLD, WANTED, evaluate, groups
from instyle_click.looks import look_twice
from instyle_click.params import ClickParams
from instyle_click.weights import SHIPPED
from instyle_core import InputError, fetch
from instyle_training.progress import counted
from instyle_training.voc import CLASSES, Photos, Split, open_voc


def run(
    data: Path,
    split: Split,
    weights: Path | None,
    size: int | None,
    clicks: int,
    largest: bool,
    classes: str | None,
    photos: int | None,
    as_json: bool,
) -> None:
    """See ``instyle click evaluate --help``.

    Raises:
        InputError: the data or an option cannot be used, or no photo has an object.
        WeightsError: the weights cannot be used.
    """
    path = weights or fetch(SHIPPED)
    network = checkpoint.load(path)
    longest = size or ClickParams().size
    chosen = selected(open_voc(data, split), numbers_of(classes), photos)
    with counted("clicking", len(chosen)) as on_photo:
        results = evaluate(
            lambda photo, given: look_twice(network, photo, given, longest),
            chosen,
            on_photo,
            most=clicks,
            all_objects=not largest,
        )
    if not results:
        raise InputError(
            f"{len(chosen)} photos of {split} show no object to click on",
            where=str(data),
            hint="choose other photos by --split or --classes",
        )
    told = groups(results, clicks)
    if as_json:
        facts = {"weights": str(path), "split": split, "photos": len(chosen)}
        facts |= {"size": longest, "clicks": clicks}
        click.echo(json.dumps({**facts, **told}, indent=2))
    else:
        print_table(told, f"{path.name} on {len(chosen)} photos of {split}")


def numbers_of(classes: str | None) -> set[int]:
    """The numbers of classes that an option names.

    Raises:
        InputError: VOC does not have one of them.
    """
    names = [name.strip() for name in classes.split(",")] if classes else []
    for name in names:
        if name not in CLASSES[1:]:
            raise InputError(
                f"'{name}' is no class of VOC", hint=f"choose from {', '.join(CLASSES[1:])}"
            )
    return {CLASSES.index(name) for name in names}


def selected(photos: Photos, numbers: set[int], count: int | None) -> Photos:
    """Photos that show one of some classes, of any if none is named; `count` of them, evenly."""
    names = list(photos.names)
    if numbers:
        pairs = zip(names, (photos[index][1] for index in range(len(photos))), strict=True)
        names = [name for name, mask in pairs if np.isin(mask.numpy(), list(numbers)).any()]
    if count is not None and count < len(names):
        names = [names[index * len(names) // count] for index in range(count)]
    return photos.only(names)


def print_table(told: dict[str, Any], title: str) -> None:
    """Print the figures of `groups`."""
    table = Table("objects", "number", title=title, title_justify="left")
    headings = [*(f"IoU@{n}" for n in TOLD), *(f"NoC@{100 * iou:.0f}" for iou in WANTED)]
    for heading in headings:
        table.add_column(heading, justify="right")
    rows = {name: figures for name, figures in told.items() if name != "classes"}
    for name, figures in {**rows, **told["classes"]}.items():
        if not figures["objects"]:
            continue
        iou = [f"{figures['iou'][str(n)]:.3f}" if str(n) in figures["iou"] else "" for n in TOLD]
        noc = [f"{value:.2f}" for value in figures["noc"].values()]
        table.add_row(name, str(figures["objects"]), *iou, *noc)
    console = Console()
    console.print(table)
    console.print(f"{told['all']['seconds']:.3f} s a click", highlight=False)
