"""``instyle fcn8s``: train and evaluate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

_PATH = click.Path(path_type=Path)
_data = click.option(
    "--data",
    type=_PATH,
    required=True,
    help="PASCAL VOC 2012: the folder that holds VOCdevkit/VOC2012.",
)


@contextmanager
def _extra() -> Iterator[None]:
    """Say what to install where Lightning or torchmetrics is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        from instyle_core import InstyleError

        package = str(error.name).partition(".")[0]
        raise InstyleError(
            f"training and evaluation need the package '{package}'",
            hint="pip install 'instyle[train]'",
        ) from error


@click.group()
def fcn8s() -> None:
    """Train and evaluate the segmenter fcn8s."""


@fcn8s.command()
@_data
@click.option("--sbd", type=_PATH, help="SBD, to train on its photos too (but VOC's val photos).")
@click.option("-o", "--output", type=_PATH, required=True, help="Folder of checkpoints and logs.")
@click.option("--encoder", default="resnet34", show_default=True, help="Encoder of smp.")
@click.option(
    "--encoder-weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="What the encoder starts from.",
)
@click.option("--variant", type=click.Choice(["32s", "16s", "8s"]), default="8s", show_default=True)
@click.option(
    "--preset",
    type=click.Choice(["paper", "modern"]),
    default="modern",
    show_default=True,
    help="The paper's recipe, or one that trains better.",
)
@click.option(
    "--classes", metavar="A,B,...", help="Classes to tell from background.  [default: all]"
)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's number.")
@click.option("--batch", type=click.IntRange(min=1), help="Photos per step, on each device.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--crop", type=click.IntRange(min=32), help="Side of the crops, in pixels.")
@click.option("--precision", help="As Lightning spells it, such as bf16-mixed or 32-true.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--accelerator", default="auto", show_default=True, help="Lightning's.")
@click.option("--devices", default="auto", show_default=True, help="Lightning's: how many.")
@click.option("--nodes", type=int, default=1, show_default=True, help="Machines.")
@click.option("--strategy", default="auto", show_default=True, help="Lightning's, such as ddp.")
@click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True)
@click.option("--compile", is_flag=True, help="Speed up the network by torch.compile.")
@click.option("--resume", is_flag=True, help="Go on where an earlier training stopped.")
@click.option("--export", type=_PATH, help="The safetensors file.  [default: in the folder]")
def train(
    preset: str,
    epochs: int | None,
    batch: int | None,
    learning_rate: float | None,
    crop: int | None,
    precision: str | None,
    accelerator: str,
    devices: str,
    nodes: int,
    strategy: str,
    workers: int,
    compile: bool,
    **options: Any,
) -> None:
    """Train an FCN on photos with class masks."""
    with _extra():
        from instyle_fcn8s.commands.train import run
        from instyle_fcn8s.training import Hardware

    given = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "crop": crop,
        "precision": precision,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    hardware = Hardware(accelerator, devices, nodes, strategy, workers, compile)
    run(preset=preset, changes=changes, hardware=hardware, **options)


@fcn8s.command()
@_data
@click.option(
    "--split",
    type=click.Choice(["train", "val", "trainval"]),
    default="val",
    show_default=True,
    help="Which list of photos.",
)
@click.option("--weights", type=_PATH, help="The safetensors file.  [default: as it ships]")
@click.option("--size", type=click.IntRange(32, 8192), help="Longest side that the network sees.")
@click.option("--mirror/--no-mirror", default=True, show_default=True, help="See fcn8s' `mirror`.")
@click.option("-o", "--overlays", type=_PATH, help="Folder for the best and the worst photos.")
@click.option("--count", type=click.IntRange(min=1), default=8, show_default=True, help="Of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(**options: Any) -> None:
    """Compare what fcn8s finds with the masks of photos."""
    with _extra():
        from instyle_fcn8s.commands.evaluate import run

    run(**options)


@fcn8s.command()
@click.option("--weights", type=_PATH, help="The safetensors file.  [default: as it ships]")
def classes(weights: Path | None) -> None:
    """List the classes that weights can find."""
    from instyle_core import fetch
    from instyle_fcn8s.description import read_metadata
    from instyle_fcn8s.weights import ANIMALS

    for name in read_metadata(weights or fetch(ANIMALS)).classes:
        click.echo(name)
