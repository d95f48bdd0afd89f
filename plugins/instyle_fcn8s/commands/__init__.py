"""``instyle fcn8s``: train and evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from instyle_training import options

_SCALE = "See fcn8s' `scales`; repeat it for several.  [default: 0.75, 1 and 1.33]"


@click.group()
def fcn8s() -> None:
    """Train and evaluate the segmenter fcn8s."""


@fcn8s.command()
@options.training(encoder="resnet34")
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
def train(**given: Any) -> None:
    """Train an FCN on photos with class masks."""
    with options.extra():
        from instyle_fcn8s.commands.train import run

    run(**given)


@fcn8s.command()
@options.data
@options.split
@click.option("--weights", type=options.PATH, help="The safetensors file.  [default: as it ships]")
@click.option("--size", type=click.IntRange(32, 8192), help="Longest side that the network sees.")
@click.option("--mirror/--no-mirror", default=True, show_default=True, help="See fcn8s' `mirror`.")
@click.option("--scale", "scales", type=click.FloatRange(0.25, 4), multiple=True, help=_SCALE)
@click.option("--prior", type=click.FloatRange(0, 4), help="See fcn8s' `prior`.  [default: 1]")
@click.option("-o", "--overlays", type=options.PATH, help="Folder for best and worst photos.")
@click.option("--count", type=click.IntRange(min=1), default=8, show_default=True, help="Of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(**given: Any) -> None:
    """Compare what fcn8s finds with the masks of photos."""
    with options.extra():
        from instyle_fcn8s.commands.evaluate import run

    run(**given)


@fcn8s.command()
@click.option("--weights", type=options.PATH, help="The safetensors file.  [default: as it ships]")
def classes(weights: Path | None) -> None:
    """List the classes that weights can find."""
    from instyle_core import fetch
    from instyle_fcn8s.description import read_metadata
    from instyle_fcn8s.weights import ANIMALS

    for name in read_metadata(weights or fetch(ANIMALS)).classes:
        click.echo(name)
