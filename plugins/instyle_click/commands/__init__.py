"""``instyle click``: train and evaluate."""

from __future__ import annotations

from typing import Any

import click

from instyle_training import options


@click.group("click")
def click_group() -> None:
    """Train and evaluate the segmenter click."""


@click_group.command()
@options.training(encoder="tu-tf_efficientnet_lite0")
@click.option(
    "--start",
    type=options.PATH,
    help="Weights of click to go on from, instead of an encoder's.",
)
@click.option(
    "--without",
    metavar="A,B,...",
    help="Leave out photos with these classes, to see what becomes of what was never seen.",
)
def train(**given: Any) -> None:
    """Train the network of click on photos with class masks."""
    with options.extra():
        from instyle_click.commands.train import run

    run(**given)


@click_group.command()
@options.data
@options.split
@click.option("--weights", type=options.PATH, help="The safetensors file.  [default: as it ships]")
@click.option("--size", type=click.IntRange(64, 2048), help="Longest side that the network sees.")
@click.option("--clicks", type=click.IntRange(1, 100), default=20, show_default=True, help="Most.")
@click.option("--largest", is_flag=True, help="Click on the largest object of each photo alone.")
@click.option("--classes", metavar="A,B,...", help="Only photos with an object of these classes.")
@click.option("--photos", type=click.IntRange(min=1), help="So many photos, evenly chosen.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(**given: Any) -> None:
    """Click in the middle of the largest error, and compare with the masks of photos."""
    with options.extra():
        from instyle_click.commands.evaluate import run

    run(**given)
