"""The options that commands of plugins that train have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

#: A file or folder, as a `pathlib.Path`.
PATH = click.Path(path_type=Path)

Command = Callable[..., None]
Option = Callable[[Command], Command]

data = click.option(
    "--data",
    type=PATH,
    required=True,
    help="PASCAL VOC 2012: the folder that holds VOCdevkit/VOC2012.",
)

split = click.option(
    "--split",
    type=click.Choice(["train", "val", "trainval"]),
    default="val",
    show_default=True,
    help="Which list of photos.",
)


@contextmanager
def extra() -> Iterator[None]:
    """Say what to install where Lightning or torchmetrics is missing.

    Raises:
        InstyleError: a package cannot be imported within the block.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        from instyle_core import InstyleError

        package = str(error.name).partition(".")[0]
        raise InstyleError(
            f"training and evaluation need the package '{package}'",
            hint="pip install 'instyle[train]'",
        ) from error


def training(*, encoder: str) -> Option:
    """Add the options of a training to a function, as a decorator above its own options.

    The function gets, by name: ``data``, ``sbd``, ``output``, ``encoder``, ``encoder_weights``,
    ``seed``, ``resume`` and ``export`` as they are; ``changes``, the fields of `Recipe` that were
    given; and ``hardware``, a `Hardware`.

    Args:
        encoder: the default.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def collected(
            *,
            accelerator: str,
            devices: str,
            nodes: int,
            strategy: str,
            workers: int,
            compile: bool,
            **options: Any,
        ) -> None:
            with extra():
                from instyle_training.training import Hardware
            given = {name: options.pop(name) for name in _RECIPE}
            command(
                changes={name: value for name, value in given.items() if value is not None},
                hardware=Hardware(accelerator, devices, nodes, strategy, workers, compile),
                **options,
            )

        added: list[Option] = [data, *_start(encoder), *_RECIPE.values(), *_REST]
        result: Command = collected
        for option in reversed(added):
            result = option(result)
        return result

    return decorate


def _start(encoder: str) -> list[Option]:
    return [
        click.option(
            "--sbd", type=PATH, help="SBD, to train on its photos too (but VOC's val photos)."
        ),
        click.option(
            "-o", "--output", type=PATH, required=True, help="Folder of checkpoints and logs."
        ),
        click.option("--encoder", default=encoder, show_default=True, help="Encoder of smp."),
        click.option(
            "--encoder-weights",
            default="imagenet",
            show_default=True,
            metavar="imagenet|none|FILE",
            help="What the encoder starts from.",
        ),
    ]


#: The options that replace a field of the recipe, by its name.
_RECIPE: dict[str, Option] = {
    "epochs": click.option(
        "--epochs", type=click.IntRange(min=1), help="Instead of the recipe's number."
    ),
    "batch": click.option(
        "--batch", type=click.IntRange(min=1), help="Photos per step, on each device."
    ),
    "learning_rate": click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True)),
    "crop": click.option("--crop", type=click.IntRange(min=32), help="Side of the crops, pixels."),
    "precision": click.option(
        "--precision", help="As Lightning spells it, such as bf16-mixed or 32-true."
    ),
}

_REST: list[Option] = [
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--accelerator", default="auto", show_default=True, help="Lightning's."),
    click.option("--devices", default="auto", show_default=True, help="Lightning's: how many."),
    click.option("--nodes", type=int, default=1, show_default=True, help="Machines."),
    click.option("--strategy", default="auto", show_default=True, help="Lightning's, such as ddp."),
    click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True),
    click.option("--compile", is_flag=True, help="Speed up the network by torch.compile."),
    click.option("--resume", is_flag=True, help="Go on where an earlier training stopped."),
    click.option("--export", type=PATH, help="The safetensors file.  [default: in the folder]"),
]
