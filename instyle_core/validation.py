"""What keeps a plan from being carried out, as far as that is known before any work.

The models of a spec have checked its values already, each by itself. Here they are compared with
what plugins tell of themselves, with the headers of files and with the devices of this machine; and
writing is tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from instyle_core.config.document import Location
from instyle_core.config.plan import ObjectPlan, Plan
from instyle_core.errors import InputError, SpecError, did_you_mean
from instyle_core.files import PICTURE_FORMATS, check_size
from instyle_core.images.header import Header, opened, read_header
from instyle_core.interfaces.input_files import Holds
from instyle_core.interfaces.pictures import Size
from instyle_core.plugin.use import Use
from instyle_core.runs import place
from instyle_core.weights.header import check_header


def check(plan: Plan) -> None:
    """See to it that nothing that is known beforehand keeps a plan from being carried out.

    Raises:
        SpecError: with everything that is wrong, each with its line; an `InputError` if it is one
            thing.
    """
    found = problems(plan)
    if found:
        raise SpecError(found) if len(found) > 1 else found[0]


def problems(plan: Plan) -> list[InputError]:
    """Everything that is wrong with a plan."""
    files = _Files(plan)
    size = files.photo()
    files.styles()
    files.parameters()
    found = [*_device(plan), *files.problems]
    for number, item in plan.items.items():
        if number is not None:
            found += _selection(plan, number, item, size)
    return found + place.problems(plan.spec.output, plan.folder)


def _device(plan: Plan) -> Iterator[InputError]:
    name = plan.spec.device
    if name in ("auto", "cpu"):
        return  # they are there; torch, which takes seconds to import, need not be asked
    from instyle_core.device import choose_device

    try:
        choose_device(name)
    except InputError as error:
        yield plan.error(("device",), error.what, error.hint)


def _selection(
    plan: Plan, number: int, item: ObjectPlan, size: Size | None
) -> Iterator[InputError]:
    """What an object's segmenter cannot do, and what lies outside of the photo."""
    select, name = item.select, item.segmenter.plugin.name
    at: Location = ("objects", number, "select")
    given = select.model_dump(by_alias=True)
    needs = item.segmenter.needs()
    if needs and all(given.get(key) is None for key in needs):
        what = f"the segmenter '{name}' needs to be told where the object is"
        hint = "add `select:` with " + " or ".join(f"`{key}: {_EXAMPLES[key]}`" for key in needs)
        yield plan.error(at, what, hint)
    finds, wanted = item.segmenter.finds(), select.class_name
    if finds is not None and wanted is not None and wanted not in finds:
        what = f"the segmenter '{name}' does not know the class '{wanted}'"
        hint = did_you_mean(wanted, finds, most=1) or f"it knows {', '.join(finds)}"
        yield plan.error((*at, "class"), what, hint)
    for key, (what, hint) in select.outside(size).items() if size else ():
        yield plan.error((*at, key), what, hint)


#: Of what a segmenter may need.
_EXAMPLES = {"class": "cat", "point": "[x, y]", "box": "[x0, y0, x1, y1]", "text": "a red teapot"}


class _Files:
    """Looks into the files of a plan, into each of them once.

    Attributes:
        problems: what is wrong with them.
    """

    def __init__(self, plan: Plan) -> None:
        self.problems: list[InputError] = []
        self._plan = plan
        self._seen: set[Path] = set()

    def photo(self) -> Size | None:
        """Check the photo, and the picture to start from; the photo's size if it can be read."""
        spec = self._plan.spec
        header = self._picture(("content",), spec.content)
        if isinstance(spec.start, Path):
            self._picture(("start",), spec.start)
        if header is None:
            return None
        shrink = min(1.0, (spec.shrink or max(header.size)) / max(header.size))
        size = round(header.size[0] * shrink), round(header.size[1] * shrink)
        self._look(("output",), spec.output, lambda path: check_size(path, size))
        is_jpeg = PICTURE_FORMATS[spec.output.suffix.lower()] == "JPEG"
        if is_jpeg and header.has_alpha and self._look(("content",), spec.content, _is_transparent):
            what, hint = "JPEG cannot hold the transparency of the photo", "name it .png or .webp"
            self.problems.append(self._plan.error(("output",), what, hint))
        return header.size

    def styles(self) -> None:
        """Check style pictures, and that there is one in each folder that can be read."""
        for number, item in self._plan.items.items():
            at = _location(self._plan, number, "style")
            for index, path in enumerate(item.style.images or ()):
                self._picture((*at, "images", index), path)
            if folder := item.style.choose_from:
                self._folder((*at, "choose_from"), folder.pictures)

    def parameters(self) -> None:
        """Check the files that parameters of plugins name."""
        for at, use in _placed(self._plan):
            for name, field in type(use.params).model_fields.items():
                path = getattr(use.params, name)
                holds = _marks(field.metadata, field.annotation)
                if isinstance(path, Path) and "picture" in holds:
                    self._picture((*at, name), path)
                elif isinstance(path, Path) and "weights" in holds:
                    self._look((*at, name), path, check_header)
        for path in self._plan.inputs:  # those of a folder that a parameter names
            if path.suffix == ".safetensors":
                self._look((), path, check_header)

    def _picture(self, at: Location, path: Path) -> Header | None:
        limit = self._plan.spec.max_megapixels
        return self._look(at, path, lambda path: read_header(path, limit))

    def _look(self, at: Location, path: Path, into: Callable[[Path], Any]) -> Any:
        """What is found in a file, or None; what is wrong with it is told once."""
        try:
            return into(path)
        except InputError as error:
            if path not in self._seen:
                problem = self._plan.error(at, f"{error.what}: {path}", error.hint)
                self.problems.append(problem)
            self._seen.add(path)
            return None

    def _folder(self, at: Location, pictures: tuple[Path, ...]) -> None:
        spec, first = self._plan.spec, None
        for path in pictures:
            try:
                read_header(path, spec.max_megapixels)
                return
            except InputError as error:
                first = first or error
        if first:
            hint = f"the first one, {pictures[0].name}: {first.what}"
            what = "no picture in this folder can be read"
            self.problems.append(self._plan.error(at, what, hint))


def _is_transparent(path: Path) -> bool:
    """Whether a pixel of a picture that has transparency is not opaque."""
    with opened(path, math.inf) as (_, image):
        histogram = image.convert("RGBA").getchannel("A").histogram()
    return any(histogram[:255])


def _location(plan: Plan, number: int | None, key: str) -> Location:
    """Where the spec has what an object is given under a key: with the object, or at its top."""
    objects = plan.spec.objects or []
    own = number is not None and getattr(objects[number], key) is not None
    return ("objects", number, key) if number is not None and own else (key,)


def _placed(plan: Plan) -> Iterator[tuple[Location, Use]]:
    """The plugins that the run will make, each with its location in the spec."""
    yield from ((("extractors", name), use) for name, use in plan.extractors.items())
    for number, item in plan.items.items():
        at = _location(plan, number, "losses")
        written = (plan.spec.objects or [])[number].losses if number is not None else None
        for index, use in enumerate(written or plan.spec.losses):
            if use.weight > 0:
                yield (*at, index), use
        if item.style.ranker:
            yield (*_location(plan, number, "style"), "ranker"), item.style.ranker
        if number is None:
            continue
        yield _location(plan, number, "merger"), item.merger
        at = _location(plan, number, "segmenter")
        yield at, item.segmenter
        if item.segmenter.refine:
            yield (*at, "refine"), item.segmenter.refine


def _marks(metadata: list[Any], annotation: Any) -> set[str]:
    """What the file of a parameter has to hold, also where it may be left out."""
    found: set[str] = {mark.what for mark in metadata if isinstance(mark, Holds)}
    for part in get_args(annotation):
        found |= _marks([part], part)
    return found
