"""``instyle style``: which style suits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from instyle_core.cli.completion import plugin_names
from instyle_core.cli.config import user_device
from instyle_core.cli.layout import width_of
from instyle_core.cli.selection import (
    context,
    fetch_weights,
    segmenter_of,
    select_of,
    selection,
    use_of,
)


@click.group()
def style() -> None:
    """Find the style that suits."""


@style.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@selection
@click.option("--whole", is_flag=True, help="Rank for the whole photo, not for an object of it.")
@click.option(
    "--segmenter",
    metavar="NAME",
    shell_complete=plugin_names("segmenter"),
    help="What finds the object.",
)
@click.option(
    "--use",
    metavar="NAME",
    shell_complete=plugin_names("ranker"),
    help="The ranker; with parameters as in a spec: '{use: affinity, color: 0}'.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--max-megapixels", type=float, default=100.0, show_default=True, help="Size limit.")
def rank(
    photo: Path,
    folder: Path,
    asked: dict[str, Any],
    whole: bool,
    segmenter: str | None,
    use: str | None,
    as_json: bool,
    max_megapixels: float,
) -> None:
    """Rank the pictures in FOLDER by how well they suit an object of PHOTO.

    A run with `style: {choose_from: FOLDER}` takes the first. The object is told as under `select`
    in a spec; without any of it, it is the largest that is found. PHOTO may be -, for standard
    input.
    """
    import torch

    from instyle_core.cli.piped import Piped
    from instyle_core.cli.render import RunDisplay, ranking_table
    from instyle_core.config.plan import default_ranker
    from instyle_core.config.resolve import resolve
    from instyle_core.config.spec import COLORS_OF_STYLE, Spec
    from instyle_core.config.style_folder import StyleFolder
    from instyle_core.events import tell_notes
    from instyle_core.images.picture import read_picture
    from instyle_core.objects.boxes import box_of
    from instyle_core.objects.find import find_object
    from instyle_core.painting.ranking import dump_ranking, subject_of
    from instyle_core.painting.ranking import rank as rank_pictures

    if whole and (asked or segmenter):
        raise click.UsageError("--whole means no object, so it goes with no option that tells one")
    device = user_device()
    select = select_of(asked)
    finder = None if whole else segmenter_of(segmenter, select, option="--segmenter")
    ranker = use_of("ranker", use, option="--use") if use is not None else default_ranker(context())
    readers = {name: resolve("extractor", name, context()) for name in ranker.reads()}
    pictures = StyleFolder.open(folder.absolute()).pictures
    piped = click.get_current_context().with_resource(Piped())
    photo = piped.source(photo)
    piped.read(max_megapixels)
    picture = read_picture(photo, max_megapixels=max_megapixels)
    display = RunDisplay()
    tell_notes(picture.notes, photo, display)
    finders = [use for use in (finder, finder and finder.refine) if use]
    fetch_weights([*finders, ranker, *readers.values()])

    mask = find_object(picture, finder, select, display) if finder else None
    margin = Spec.model_fields["margin"].default
    (ranking,) = rank_pictures(
        pictures,
        photo,
        [subject_of(picture.pixels, mask, COLORS_OF_STYLE, margin)],
        ranker,
        {name: use.create().to(device, torch.float32) for name, use in readers.items()},
        device,
        display,
        max_megapixels=max_megapixels,
    )
    if as_json:
        import json

        found = list(box_of(mask.decision)) if mask else None
        document = {"ranker": ranker.dump(), "box": found, "ranking": dump_ranking(ranking)}
        click.echo(json.dumps(document, indent=2))
        return
    # Not by click, which loses the letters of a file's name that an encoding lacks.
    sys.stdout.write(ranking_table(ranking, width_of(sys.stdout)))
