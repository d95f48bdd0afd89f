"""``instyle segment``: see what would be repainted."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instyle_core.cli.completion import plugin_names
from instyle_core.cli.layout import table, width_of
from instyle_core.cli.selection import fetch_weights, segmenter_of, select_of, selection

if TYPE_CHECKING:
    from torch import Tensor

    from instyle_core.cli.overlay import Marked
    from instyle_core.interfaces.pictures import Mask
    from instyle_core.objects.candidates import Candidate
    from instyle_core.plugin.use import Use


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--use",
    default=None,
    metavar="NAME",
    shell_complete=plugin_names("segmenter"),
    help="The segmenter; with parameters as in a spec: '{use: grabcut, iterations: 8}'.",
)
@selection
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The overlay to write, a picture."
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    help="Write the mask that a run would use, a gray PNG for '{use: mask, path: ...}'.",
)
@click.option(
    "--cutout",
    type=click.Path(path_type=Path),
    help="Write the object alone, a picture that is transparent around it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--max-megapixels", type=float, default=100.0, show_default=True, help="Size limit.")
def segment(
    image: Path,
    use: str | None,
    asked: dict[str, Any],
    output: Path | None,
    mask: Path | None,
    cutout: Path | None,
    as_json: bool,
    max_megapixels: float,
) -> None:
    """Find objects in IMAGE: a colored overlay, and a table of what was found.

    With --class, --point, --not, --box, --text or --instance, as under `select` in a spec, those
    that fit are listed, and the one that would be repainted stands out. With --mask or --cutout,
    that one is written: the largest, where nothing tells which. The overlay is then written only
    with -o.

    IMAGE may be - for standard input, and one of the files - for standard output, as PNG; the table
    then goes to standard error.
    """
    from instyle_core.cli.overlay import overlay
    from instyle_core.cli.piped import DASH, Piped
    from instyle_core.cli.render import RunDisplay
    from instyle_core.config.select import shrunk
    from instyle_core.events import ignore, tell_notes
    from instyle_core.files import check_size
    from instyle_core.images.masks import write_object_mask
    from instyle_core.images.picture import check_output, read_picture, write_picture
    from instyle_core.objects.candidates import mask_of
    from instyle_core.objects.find import segment as find
    from instyle_core.objects.select import candidates, choose, refine
    from instyle_core.objects.shown import shown as shown_of

    select = select_of(asked)
    piped = click.get_current_context().with_resource(Piped())
    if not (output or mask or cutout or str(image) == DASH):
        output = image.parent / f"{image.stem}-segments.png"
    image = piped.source(image)
    inputs = [image]
    segmenter = segmenter_of(use, select, option="--use", inputs=inputs)
    output, mask, cutout = (path and piped.target(path) for path in (output, mask, cutout))
    written = {"overlay": output, "mask": mask, "cutout": cutout}
    targets = {name: path for name, path in written.items() if path}
    _check_targets(targets, inputs)
    piped.begin(max_megapixels, as_json=as_json)
    picture = read_picture(image, max_megapixels=max_megapixels)
    display = RunDisplay()
    tell_notes(picture.notes, image, display)
    for path in targets.values():
        check_size(path, picture.size)
    if cutout:
        tell_notes(check_output(cutout, picture), cutout, display)
    shrunk(select, picture.size, picture.size)  # it lies in the photo
    fetch_weights([segmenter, *([segmenter.refine] if segmenter.refine else [])])
    select, segmentation = find(picture, segmenter, select, on_event=display)
    found = candidates(segmentation, select)
    chosen = meant = None
    if asked or mask or cutout:
        chosen = choose(found, select, segmentation, display if mask or cutout else ignore)
    shown = shown_of(found, chosen)
    del segmentation, found  # of a large photo, most of the memory is theirs
    if chosen and (mask or cutout):
        meant = refine(mask_of(chosen), picture.pixels, segmenter)
    rows: list[dict[str, Any]] = []
    objects = _marked(shown, chosen, meant, picture.pixels, segmenter, rows)
    if output:
        write_picture(output, overlay(picture.pixels, objects, select.prompt))
    else:
        deque(objects, maxlen=0)
    if mask and meant:
        write_object_mask(mask, meant)
    if cutout and meant:
        alpha = meant.probability if picture.alpha is None else meant.probability * picture.alpha
        write_picture(cutout, picture.pixels, like=replace(picture, alpha=alpha))

    if as_json:
        import json

        paths = {name: str(path) for name, path in targets.items()}
        click.echo(json.dumps({"objects": rows, **paths}, indent=2))
        return
    _print_table(rows, asked=chosen is not None)
    for path in targets.values():
        if path != piped.picture:
            click.echo(path)
    if piped.picture:
        piped.deliver(piped.picture)


def _check_targets(targets: Mapping[str, Path], inputs: Sequence[Path]) -> None:
    """Find out, before any work, whether files can be written: the overlay, mask and cutout.

    Raises:
        InputError: one of them cannot, or is a file that is read, or two are the same.
    """
    from instyle_core.errors import InputError
    from instyle_core.files import picture_format

    places = [os.path.realpath(path) for path in targets.values()]
    for name, path in targets.items():
        form = picture_format(path)
        what = hint = None
        if path.exists() and any(path.samefile(other) for other in inputs):
            what, hint = (
                "this is read, and is never written",
                f"choose another with {_OPTION[name]}",
            )
        elif places.count(os.path.realpath(path)) > 1:
            what, hint = "two files of this name would be written", "give them different names"
        elif name == "mask" and form != "PNG":
            what, hint = f"a mask is a gray PNG, and {form} would change it", "name it .png"
        elif name == "cutout" and form == "JPEG":
            what, hint = "JPEG cannot hold the transparency of a cutout", "name it .png or .webp"
        if what:
            raise InputError(what, where=str(path), hint=hint)


#: What tells the name of each file.
_OPTION = {"overlay": "-o", "mask": "--mask", "cutout": "--cutout"}


def _marked(
    shown: Sequence[tuple[int, Candidate]],
    chosen: Sequence[Candidate] | None,
    meant: Mask | None,
    image: Tensor,
    segmenter: Use,
    rows: list[dict[str, Any]],
) -> Iterator[Marked]:
    """What to draw, one at a time; the facts of each go to `rows`.

    Where nothing was asked for, `chosen` is None, and none stands back. `meant` is the refined mask
    of all that is chosen, if it is known.
    """
    from instyle_core.cli.overlay import Marked
    from instyle_core.objects.select import refine
    from instyle_core.objects.shown import facts

    for number, candidate in shown:
        selected = chosen is not None and candidate in chosen
        if selected and meant and len(chosen or ()) == 1:
            mask = meant
        else:
            mask = candidate.mask()
            if selected or chosen is None:
                mask = refine(mask, image, segmenter)
        rows.append(facts(candidate, number, mask, selected=selected))
        label = f"{candidate.class_name} {number}"
        yield Marked(mask.decision, label, selected or chosen is None)


def _print_table(rows: list[dict[str, Any]], *, asked: bool) -> None:
    if not rows:
        click.echo("nothing was found")
        return
    headings = ["class", "instance", "area", "box", "confidence", *(["selected"] if asked else [])]
    cells = []
    for row in rows:
        corners = ", ".join(map(str, row["box"]))
        facts = [row["class"], str(row["instance"]), f"{row['area']:.1%}", corners]
        facts.append(f"{row['confidence']:.2f}")
        cells.append([*facts, *(["yes" if row["selected"] else ""] if asked else [])])
    click.echo(table([headings, *cells], width_of(sys.stdout)), nl=False)
