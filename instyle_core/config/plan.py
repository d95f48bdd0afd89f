"""From a spec and the installed plugins to a plan: all errors at once, each with its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from instyle_core.config.document import Document, Location
from instyle_core.config.resolve import resolve
from instyle_core.config.select import Select
from instyle_core.config.spec import (
    COLORS_OF_STYLE,
    FROM_PRESET,
    Color,
    ObjectSpec,
    Spec,
    Style,
    run_folder,
)
from instyle_core.errors import InputError, SpecError
from instyle_core.interfaces.messages import shown
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use

if TYPE_CHECKING:
    from instyle_core.weights.record import Weights

#: The note about a record of a run that this version does not repeat to the pixel.
OLDER = (
    "version 0.1.0 made this run; the borders of pictures and objects are seen in another way "
    "since, so that the picture will differ"
)

#: How an object is told.
Told = Literal["by-class", "by-pointing", "by-text"]

PRESETS = ("default", "draft", "quality", "gatys", "paper")


@dataclass(frozen=True)
class ObjectPlan:
    """How one object is found and repainted, with every plugin found."""

    segmenter: Use
    select: Select
    style: Style
    losses: tuple[Use, ...]
    merger: Use
    color: Color = COLORS_OF_STYLE

    @property
    def readers(self) -> list[Use]:
        """The plugins that read feature maps: losses, and the ranker if there is one."""
        return [*self.losses, *([self.style.ranker] if self.style.ranker else [])]


@dataclass(frozen=True)
class Plan:
    """A spec in which every plugin is found and every parameter is checked.

    Attributes:
        spec: the checked spec.
        objects: the objects to repaint, in the order of the spec; for a whole picture, none.
        whole: how to repaint the whole picture, if the spec has no objects; else None.
        extractors: those that losses and rankers read, by the names that these use.
        inputs: the files that the spec reads.
        notes: what the user should be told, such as that a parameter has a new name.
        root: the folder of the project: what spec and output have in common. Files in it are
            relative to one another in the record of a run.
        settings: the values that came from the user's settings, not from the spec.
        document: what the plan was made from; it tells the lines.
    """

    spec: Spec
    objects: tuple[ObjectPlan, ...]
    whole: ObjectPlan | None
    extractors: Mapping[str, Use]
    inputs: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    root: Path = Path("/")
    settings: Mapping[str, str] = field(default_factory=dict)
    document: Document = field(
        default_factory=lambda: Document("the spec", Path(), {}), repr=False, compare=False
    )

    @property
    def folder(self) -> Path:
        """The folder for everything that the run writes but the picture itself."""
        return run_folder(self.spec.output)

    @property
    def items(self) -> dict[int | None, ObjectPlan]:
        """The objects by number, or the whole picture under None."""
        return {None: self.whole} if self.whole else {**dict(enumerate(self.objects))}

    @property
    def parts(self) -> list[str]:
        """The names of the objects in files and tables, in their order."""
        return [part_name(number) for number in range(len(self.objects))] or [part_name(None)]

    @property
    def uses(self) -> list[Use]:
        """Every plugin that the run will make."""
        found = list(self.extractors.values())
        for item in self.objects:
            refiner = [item.segmenter.refine] if item.segmenter.refine else []
            found += [item.segmenter, *refiner, *item.readers, item.merger]
        return found + list(self.whole.readers if self.whole else ())

    @property
    def pretrained(self) -> tuple[Weights, ...]:
        """The weights that the run will load."""
        return tuple(dict.fromkeys(w for use in self.uses for w in use.pretrained()))

    def error(self, location: Location, what: str, hint: str | None = None) -> InputError:
        """An error about a value of the spec, with the place where it was written."""
        return self.document.error(_real(self.document.data, location), what, hint)

    def dump(self) -> dict[str, Any]:
        """The resolved spec as plain data: absolute paths, every default spelled out."""
        plain = self.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        plain["extractors"] = {name: use.dump() for name, use in self.extractors.items()}
        if self.spec.segmenter is None:
            for written, item in zip(plain.get("objects", []), self.objects, strict=True):
                written["segmenter"] = item.segmenter.dump()
        return plain


def part_name(item: int | None) -> str:
    """The name of an object in files and tables, by its number; None is the whole picture."""
    return "picture" if item is None else f"object-{item}"


def load_plan(
    spec: Path | str | Mapping[str, Any],
    change: Callable[[Document], None] | None = None,
    registry: Registry | None = None,
) -> Plan:
    """Read a spec, or the ``run.json`` of an earlier run, and make its plan.

    Args:
        spec: the file; or its content as a dictionary, in which paths are relative to the working
            directory.
        change: is given the document before it is checked, for the options of a command line.
        registry: the plugins; the installed ones when None.

    Files are not looked into; `run` does that before any work.

    Raises:
        SpecError: with everything that is wrong.
        InputError: the file cannot be read.
    """
    if isinstance(spec, Mapping):
        document = Document("the spec", Path.cwd(), deepcopy(dict(spec)))
    else:
        document = Document.read(Path(spec))
    older, root = False, document.folder
    if isinstance(document.data, dict) and {"instyle", "spec"} <= document.data.keys():
        root = _root_of(document)
        document = document.child("spec")
        older = _is_of_0_1_0(document.data)
    if older:
        document.assign("optimizer.parametrization", "pixels", "version 0.1.0")
        if document.data["optimizer"].get("use") == "adam":
            document.assign("optimizer.decay", 0, "version 0.1.0")
    if change:
        change(document)
    plan = make(document, registry or Registry.installed())
    plan = replace(plan, root=_common(root, plan.spec.output.parent))
    return replace(plan, notes=(*plan.notes, OLDER)) if older else plan


def _root_of(record: Document) -> Path:
    """The project's folder by a ``run.json``, which lies in a folder beside the output."""
    written = record.data.get("root")
    return Path(os.path.realpath(record.folder / (written if isinstance(written, str) else "..")))


def _common(one: Path, other: Path) -> Path:
    """The folder that both have in common; the second where that is all of the disk."""
    try:
        common = Path(os.path.commonpath([os.path.realpath(one), other]))
    except ValueError:  # two drives of Windows
        return other
    return other if common == Path(common.anchor) else common


def _is_of_0_1_0(spec: Any) -> bool:
    """Whether the record of a run was written before there was a choice of what is moved."""
    optimizer = spec.get("optimizer") if isinstance(spec, dict) else None
    return isinstance(optimizer, dict) and "parametrization" not in optimizer


def preset_text(name: str) -> str:
    """A preset as ``instyle pipeline init`` writes it."""
    return (
        files("instyle_core.config").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    )


def preset_spec(name: str) -> dict[str, Any]:
    """A preset as plain data."""
    spec: dict[str, Any] = Document.parse(preset_text(name), name, Path()).data
    return spec


def make(document: Document, registry: Registry) -> Plan:
    """Check a document against the models and the plugins, and make its plan.

    Raises:
        SpecError: with everything that is wrong.
    """
    if not isinstance(document.data, dict):
        what = f"a spec should be keys with values; this is {shown(document.data)}"
        hint = "`instyle pipeline init` writes one to start from"
        none = InputError(what, where=document.place(()), hint=hint)
        raise SpecError([*document.problems, none])
    # The core knows no plugin by name: what a spec leaves out is taken from the default preset.
    defaults = _parsed(preset_text("default"), "the default preset")
    for key in FROM_PRESET:
        if document.data.get(key) is None:
            document.data[key] = deepcopy(defaults.data[key])
            document.places[(key,)] = defaults.place((key,))

    problems = [*document.problems, *_missing_styles(document)]
    extractors = document.data.get("extractors")
    context = {
        "registry": registry,
        "folder": document.folder,
        "extractors": extractors if isinstance(extractors, dict) else {},
        "inputs": [],
        "notes": [],
        "ranker": _left_out().data.get("ranker"),
    }
    try:
        spec = Spec.model_validate(document.data, context=context)
    except ValidationError as error:
        found = [(_real(document.data, e["loc"]), e["msg"]) for e in error.errors()]
        problems += [document.error(loc, m) for loc, m in found if loc not in document.doubtful]
    if problems:
        different = {str(problem): problem for problem in problems}
        raise SpecError(sorted(different.values(), key=_by_line))
    return replace(_plan(spec, context), document=document)


def _plan(spec: Spec, context: Mapping[str, Any]) -> Plan:
    objects = tuple(_object(spec, item, context) for item in spec.objects or ())
    whole = None if objects else _object(spec, ObjectSpec(), context)
    extractors = {}
    for item in objects or (whole,):
        for use in item.readers if item else ():
            for name in use.reads():
                extractors[name] = spec.extractors.get(name) or resolve("extractor", name, context)
    inputs, notes = (tuple(dict.fromkeys(context[key])) for key in ("inputs", "notes"))
    return Plan(spec, objects, whole, extractors, inputs, notes)


def default_segmenter(select: Select, context: Mapping[str, Any]) -> Use:
    """The segmenter of an object for which the spec names none.

    Args:
        select: which object it is.
        context: as for `resolve`.

    Raises:
        SpecError: it is not installed.
    """
    prompt = select.prompt
    pointed = not prompt.classes and (prompt.points or prompt.box)
    key: Told = "by-text" if prompt.text else "by-pointing" if pointed else "by-class"
    return _default("segmenter", key, context)


def usual_segmenter(told: Told) -> str:
    """The name of the default segmenter of objects that are told in a way."""
    return str(_left_out().data[told]["use"])


def default_ranker(context: Mapping[str, Any]) -> Use:
    """The ranker of style pictures where the spec names none; otherwise as `default_segmenter`."""
    return _default("ranker", "ranker", context)


def _left_out() -> Document:
    """The preset of segmenters and rankers that are used where a spec names none."""
    return _parsed(preset_text("left_out"), "the default plugins")


@cache
def _parsed(text: str, called: str) -> Document:
    """A preset, which is parsed once; not to be changed."""
    return Document.parse(text, called, Path())


def _default(kind: str, key: str, context: Mapping[str, Any]) -> Use:
    document = _left_out()
    try:
        return resolve(kind, document.data[key], context)
    except ValidationError as error:
        where, hint = document.place((key,)), f"name another one under `{kind}`"
        problems = [InputError(e["msg"], where=where, hint=hint) for e in error.errors()]
        raise SpecError(problems) from error


def _object(spec: Spec, item: ObjectSpec, context: Mapping[str, Any]) -> ObjectPlan:
    """An object with what it leaves out taken from the top level."""
    style = item.style or spec.style
    assert style  # otherwise _missing_styles has raised an error
    return ObjectPlan(
        segmenter=item.segmenter or spec.segmenter or default_segmenter(item.select, context),
        select=item.select,
        style=style,
        # A weight of 0 turns a loss off: then not even the weights of its network are needed.
        losses=tuple(loss for loss in item.losses or spec.losses if loss.weight > 0),
        merger=item.merger or spec.merger,
        color=item.color or spec.color,
    )


def _missing_styles(document: Document) -> list[InputError]:
    if document.data.get("style") is not None or ("style",) in document.doubtful:
        return []
    hint = "add one, such as `style: painting.jpg`"
    objects = document.data.get("objects")
    if objects is None:
        return [InputError("missing key 'style'", where=document.place(()), hint=hint)]
    return [
        document.error(("objects", index), "missing key 'style'", hint)
        for index, item in enumerate(objects if isinstance(objects, list) else ())
        if isinstance(item, dict) and item.get("style") is None
        if ("objects", index, "style") not in document.doubtful
    ]


def _real(data: Any, location: Iterable[str | int]) -> Location:
    """A location of pydantic's without the parts that are names of union members, not keys."""
    real: list[str | int] = []
    for part in location:
        here = range(len(data)) if isinstance(data, list) else data
        if isinstance(here, dict | range) and part in here:
            data = data[part]
            real.append(part)
    return tuple(real)


def _by_line(problem: InputError) -> tuple[str, int]:
    name, _, line = (problem.where or "").rpartition(":")
    return name, int(line) if line.isdecimal() else 0
