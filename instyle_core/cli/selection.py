"""Options that commands share: which object, by which plugin; and the weights that this takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from instyle_core.config.select import Select
    from instyle_core.plugin.use import Use


class Numbers(click.ParamType):  # type: ignore[type-arg]
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


class Which(click.ParamType):  # type: ignore[type-arg]
    """A number, or all, or largest."""

    name = "N|all|largest"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if value in ("all", "largest"):
            return str(value)
        if not str(value).isdecimal():
            self.fail(f"{value!r} is not a number, 'all' or 'largest'", param, ctx)
        return int(value)


_OPTIONS = (
    click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="NAME",
        help="Class of the object. Repeat it for several that are one object together.",
    ),
    click.option(
        "--point",
        "points",
        type=Numbers("X", "Y"),
        multiple=True,
        help="A pixel of the object. Repeat it for several.",
    ),
    click.option(
        "--not",
        "not_points",
        type=Numbers("X", "Y"),
        multiple=True,
        help="A pixel that is not the object's. Repeat it for several.",
    ),
    click.option("--box", type=Numbers("X0", "Y0", "X1", "Y1"), help="A box around the object."),
    click.option("--text", help="The object in words, for a segmenter that understands them."),
    click.option(
        "--instance", type=Which(), help="Which one where several fit; largest by default."
    ),
)


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that tell an object, as under `select` in a spec.

    The command gets them as one argument `asked`: what was given, by the spec's keys.
    """

    @wraps(command)
    def with_asked(
        *,
        classes: tuple[str, ...],
        points: tuple[list[int], ...],
        not_points: tuple[list[int], ...],
        box: list[int] | None,
        text: str | None,
        instance: int | str | None,
        **others: Any,
    ) -> None:
        options = {
            "class": classes[0] if len(classes) == 1 else classes or None,
            "points": points or None,
            "not": not_points or None,
            "box": box,
            "text": text,
            "instance": instance,
        }
        asked = {key: value for key, value in options.items() if value is not None}
        command(asked=asked, **others)

    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), with_asked)


def select_of(asked: dict[str, Any]) -> Select:
    """The selection that options tell.

    Raises:
        SpecError: with everything that is wrong with it.
    """
    from pydantic import ValidationError

    from instyle_core.config.select import Select
    from instyle_core.errors import InputError, SpecError

    try:
        return Select.model_validate(asked)
    except ValidationError as error:
        raise SpecError(
            [InputError(e["msg"], where=_option(e["loc"])) for e in error.errors()]
        ) from error


def _option(place: Sequence[int | str]) -> str:
    """The option that gave the value at a place of a selection."""
    return "--point" if place[0] == "points" else f"--{place[0]}"


def segmenter_of(
    written: str | None, select: Select, *, option: str, inputs: list[Path] | None = None
) -> Use:
    """The segmenter that an option names, or the default one for such a selection.

    The files that it reads are added to `inputs`.

    Raises:
        SpecError: with everything that is wrong with it, and that it cannot do.
    """
    from instyle_core.config.plan import default_segmenter
    from instyle_core.errors import InputError, SpecError
    from instyle_core.validation import misfits

    if written is None:
        use = default_segmenter(select, context())
    else:
        use = use_of("segmenter", written, option=option, inputs=inputs)
    problems = [
        InputError(what, where=_option(place) if place else option, hint=hint)
        for place, what, hint in misfits(select, use)
    ]
    if problems:
        raise SpecError(problems)
    return use


def use_of(kind: str, written: str, *, option: str, inputs: list[Path] | None = None) -> Use:
    """The plugin that an option names as a spec would; the files that it reads go to `inputs`.

    Raises:
        SpecError: with everything that is wrong with it.
    """
    from pydantic import ValidationError

    from instyle_core.config.document import Document
    from instyle_core.config.resolve import resolve
    from instyle_core.errors import InputError, SpecError

    document = Document.parse(written, option, Path.cwd())
    if document.problems:
        raise SpecError(document.problems)
    notes: list[str] = []
    read = inputs if inputs is not None else []
    try:
        use = resolve(kind, document.data, {**context(), "notes": notes, "inputs": read})
    except ValidationError as error:
        problems = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
        raise SpecError(
            [InputError(f"{key}: {what}" if key else what, where=option) for key, what in problems]
        ) from error
    if notes:
        from instyle_core.cli.render import show_note

        for note in dict.fromkeys(notes):
            show_note(note)
    return use


def context() -> dict[str, Any]:
    """What plugins are looked up in, outside of a spec."""
    from instyle_core.plugin.registry import Registry

    return {"registry": Registry.installed(), "folder": Path.cwd(), "extractors": {}}


def fetch_weights(uses: Iterable[Use]) -> None:
    """Download what is missing before the work begins, and show how far it is."""
    from instyle_core.cli.render import RunDisplay
    from instyle_core.events import Download
    from instyle_core.weights.fetch import fetch, locate

    for weights in dict.fromkeys(w for use in uses for w in use.pretrained()):
        if locate(weights) is None:
            name = weights.name
            with RunDisplay() as display:
                fetch(weights, on_progress=lambda *far, n=name: display(Download(n, *far)))
