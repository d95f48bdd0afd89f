"""``instyle segment``: see what would be repainted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from torch import Tensor

    from instyle_core.interfaces import Instance

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c")


class _Numbers(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers separated by commas."""

    def __init__(self, *names: str) -> None:
        self.name = ",".join(names)
        self._count = len(names)

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        try:
            numbers = [int(part) for part in value.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != self._count:
            self.fail(f"{value!r} is not of the form {self.name}", param, ctx)
        return numbers


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--use",
    default=None,
    metavar="NAME",
    help="The segmenter; with parameters as in a spec: '{use: grabcut, iterations: 8}'.",
)
@click.option("--class", "class_name", help="Class of the object.")
@click.option("--point", type=_Numbers("X", "Y"), help="A pixel of the object.")
@click.option("--box", type=_Numbers("X0", "Y0", "X1", "Y1"), help="A box around the object.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The overlay to write, a picture."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--max-megapixels", type=float, default=100.0, show_default=True, help="Size limit.")
def segment(
    image: Path,
    use: str | None,
    class_name: str | None,
    point: list[int] | None,
    box: list[int] | None,
    output: Path | None,
    as_json: bool,
    max_megapixels: float,
) -> None:
    """Find objects in IMAGE: a coloured overlay, and a table of what was found."""
    from instyle_core.errors import InputError
    from instyle_core.images import check_output, read_picture, write_picture
    from instyle_core.instances import box_of, instances_of, prompt_of, select_object
    from instyle_core.interfaces import Instance
    from instyle_core.spec import Select

    segmenter = _segmenter(use)
    picture = read_picture(image, max_megapixels=max_megapixels)
    output = output or image.with_name(f"{image.stem}-segments.png")
    if output.exists() and output.samefile(image):
        hint = "choose another with -o"
        raise InputError("this is the input, which is never written", where=str(output), hint=hint)
    check_output(output)
    select = Select.model_validate({"class": class_name, "point": point, "box": box})
    segmentation = segmenter.create().segment(picture.pixels, prompt_of(select, picture.size))
    found = instances_of(segmentation)
    if class_name or point or box:
        mask = select_object(segmentation, select)
        name = class_name or "object"
        score = float(mask.probability[mask.decision > 0].mean())
        found = [Instance(name, mask.decision, score)]
    write_picture(output, _overlay(picture.pixels, found))

    rows: list[dict[str, Any]] = []
    for number, instance in zip(_count_by_class(found), found, strict=True):
        decision = (instance.mask >= 0.5).float()
        if decision.any():
            rows.append(
                {
                    "class": instance.class_name,
                    "instance": number,
                    "area": round(float(decision.mean()), 4),
                    "box": list(box_of(decision)),
                    "confidence": round(instance.score, 3),
                }
            )
    if as_json:
        import json

        click.echo(json.dumps({"objects": rows, "overlay": str(output)}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if rows:
        table = Table("class", "instance", "area", "box", "confidence", box=None, pad_edge=False)
        for row in rows:
            corners = ", ".join(map(str, row["box"]))
            area, confidence = f"{row['area']:.1%}", f"{row['confidence']:.2f}"
            table.add_row(str(row["class"]), str(row["instance"]), area, corners, confidence)
        console.print(table)
    else:
        console.print("nothing was found")
    click.echo(output)


def _segmenter(use: str | None) -> Any:
    """The segmenter that was asked for, or the default preset's."""
    from pydantic import ValidationError

    from instyle_core.document import Document
    from instyle_core.errors import InputError, SpecError
    from instyle_core.plan import preset_text
    from instyle_core.registry import Registry
    from instyle_core.uses import resolve

    if use is None:
        value = Document.parse(preset_text("default"), "the default preset", Path()).data
        value = value["segmenter"]
    else:
        document = Document.parse(use, "--use", Path.cwd())
        if document.problems:
            raise SpecError(document.problems)
        value = document.data
    context = {"registry": Registry.installed(), "folder": Path.cwd(), "extractors": {}}
    try:
        return resolve("segmenter", value, context)
    except ValidationError as error:
        problems = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
        raise SpecError(
            [InputError(f"{key}: {what}" if key else what, where="--use") for key, what in problems]
        ) from error


def _count_by_class(instances: list[Instance]) -> list[int]:
    """The number of each within its class, by which a spec can name it."""
    names = [instance.class_name for instance in instances]
    return [names[:place].count(name) for place, name in enumerate(names)]


def _overlay(image: Tensor, instances: list[Instance]) -> Tensor:
    """The photo in grey with each object tinted, outlined and numbered."""
    import torch
    from torch.nn import functional as F
    from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

    from instyle_core.instances import box_of

    shown = [i for i in instances if bool((i.mask >= 0.5).any())]
    grey = image.mean(dim=0, keepdim=True).expand(3, -1, -1) * 0.6 + image * 0.4
    canvas = (grey * 255).round().to(torch.uint8)
    if shown:
        colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(shown))]
        masks = torch.cat([instance.mask >= 0.5 for instance in shown])
        canvas = draw_segmentation_masks(canvas, masks, alpha=0.45, colors=list(colours))
        # An outline is what erosion takes away.
        soft = masks.float()[None]
        eroded = 1 - F.max_pool2d(1 - soft, 3, stride=1, padding=1)
        canvas = draw_segmentation_masks(
            canvas, (soft - eroded)[0] > 0, alpha=1.0, colors=list(colours)
        )
        boxes = torch.tensor([box_of((i.mask >= 0.5).float()) for i in shown])
        labels = [f"{i.class_name} {n}" for i, n in zip(shown, _count_by_class(shown), strict=True)]
        canvas = draw_bounding_boxes(canvas, boxes, labels, colors=list(colours))
    return canvas.float() / 255
