"""``instyle segment``: see what would be repainted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instyle_core.cli.completion import plugin_names
from instyle_core.cli.layout import table, width_of
from instyle_core.cli.selection import fetch_weights, segmenter_of, select_of, selection

if TYPE_CHECKING:
    from torch import Tensor

    from instyle_core.cli.overlay import Marked
    from instyle_core.objects.select import Candidate
    from instyle_core.plugin.use import Use


#: So many specks are shown where they are what was asked for.
_FEW = 10


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--max-megapixels", type=float, default=100.0, show_default=True, help="Size limit.")
def segment(
    image: Path,
    use: str | None,
    asked: dict[str, Any],
    output: Path | None,
    as_json: bool,
    max_megapixels: float,
) -> None:
    """Find objects in IMAGE: a colored overlay, and a table of what was found.

    With --class, --point, --box or --instance, as under `select` in a spec, those that fit are
    listed, and the one that would be repainted stands out.
    """
    from instyle_core.cli.overlay import overlay
    from instyle_core.cli.render import RunDisplay
    from instyle_core.errors import InputError
    from instyle_core.events import tell_notes
    from instyle_core.images.picture import check_output, read_picture, write_picture
    from instyle_core.objects.find import segment as find
    from instyle_core.objects.select import candidates, choose, prompt_of

    select = select_of(asked)
    inputs = [image]
    segmenter = segmenter_of(use, select, option="--use", inputs=inputs)
    picture = read_picture(image, max_megapixels=max_megapixels)
    display = RunDisplay()
    tell_notes(picture.notes, image, display)
    output = output or image.with_name(f"{image.stem}-segments.png")
    if output.exists() and any(output.samefile(path) for path in inputs):
        what = "this is read, and is never written"
        raise InputError(what, where=str(output), hint="choose another with -o")
    check_output(output)
    prompt = prompt_of(select, picture.size)
    fetch_weights([segmenter, *([segmenter.refine] if segmenter.refine else [])])
    select, segmentation = find(picture, segmenter, select, on_event=display)
    found = candidates(segmentation, select)
    chosen = choose(found, select, segmentation) if asked else None
    rows: list[dict[str, Any]] = []
    objects = _marked(found, chosen, picture.pixels, segmenter, rows)
    write_picture(output, overlay(picture.pixels, objects, prompt))

    if as_json:
        import json

        click.echo(json.dumps({"objects": rows, "overlay": str(output)}, indent=2))
        return
    _print_table(rows, asked=bool(asked))
    click.echo(output)


def _marked(
    found: Sequence[Candidate],
    chosen: Sequence[Candidate] | None,
    image: Tensor,
    segmenter: Use,
    rows: list[dict[str, Any]],
) -> Iterator[Marked]:
    """What to draw, one at a time; the facts of each go to `rows`.

    Where nothing was asked for, `chosen` is None, and none stands back. Specks are left out unless
    they are what was asked for.
    """
    from instyle_core.cli.overlay import Marked
    from instyle_core.objects.boxes import box_of
    from instyle_core.objects.select import refine

    count: Counter[str] = Counter()
    for candidate in found:
        # By its place among those of its class, a spec can name it: `instance: 1`.
        number = count[candidate.class_name]
        count[candidate.class_name] += 1
        selected = chosen is not None and candidate in chosen
        if candidate.is_speck and not (selected and len(chosen or ()) < _FEW):
            continue
        mask = candidate.mask()
        if selected or chosen is None:
            mask = refine(mask, image, segmenter)
        rows.append(
            {
                "class": candidate.class_name,
                "instance": number,
                "area": round(float(mask.decision.mean()), 4),
                "box": list(box_of(mask.decision)),
                "confidence": round(candidate.score, 3),
                "selected": selected,
            }
        )
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
