"""From a segmentation to the mask of the selected object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from instyle_core.config.plan import usual_segmenter
from instyle_core.config.select import Select
from instyle_core.errors import InputError
from instyle_core.events import Note, Observer, ignore
from instyle_core.interfaces.messages import shown
from instyle_core.interfaces.pictures import Mask, Point
from instyle_core.interfaces.segmenter import Prompt, Segmentation
from instyle_core.objects.candidates import (
    BACKGROUND,
    Candidate,
    Together,
    candidates_of,
    mask_of,
    most_probable,
)
from instyle_core.plugin.use import Use


def select_object(segmentation: Segmentation, select: Select, on_event: Observer = ignore) -> Mask:
    """The mask of the selected object.

    The instances of a segmenter that has them are the objects. Without instances, the connected
    components of each class are; touching objects of one class are then one object. If several
    objects fit, a note says so.

    Raises:
        InputError: there is no such object; the error lists what was found. Or an object that was
            found holds points that are on the selected one and points that are not.
    """
    found = candidates(segmentation, select)
    return mask_of(choose(found, select, segmentation, on_event))


def candidates(segmentation: Segmentation, select: Select) -> list[Candidate]:
    """The objects that fit the selection, largest first; `instance` is the index in them.

    Those that hold a point which is not on the object do not fit. Of several points on it, either
    all lie in each of the candidates; or there is one, the union of the largest at each point.

    Raises:
        InputError: see `select_object`; or the segmenter does not know a class.
    """
    prompt = select.prompt
    for name in prompt.classes:
        if name not in segmentation.classes:
            known = [c for c in segmentation.classes if c != BACKGROUND]
            raise InputError(
                f"the segmenter does not know the class '{name}'",
                hint=f"it knows {', '.join(known)}",
            )
    found = candidates_of(segmentation, prompt)
    found.sort(key=lambda candidate: -candidate.area)
    if not (prompt.points or prompt.not_points):
        return found
    return _pointed(found, prompt, segmentation)


def _pointed(
    found: Sequence[Candidate], prompt: Prompt, segmentation: Segmentation
) -> list[Candidate]:
    """The candidates that fit the points of a prompt; `found` is sorted, and so are they."""
    free = [c for c in found if not any(map(c.holds, prompt.not_points))]
    holding = [[c for c in free if c.holds(point)] for point in prompt.points]
    for point, at_point in zip(prompt.points, holding, strict=True):
        if not at_point:
            raise _nothing_at(point, found, prompt, segmentation)
    everywhere = [c for c in free if all(c in at_point for at_point in holding)]
    if everywhere or not holding:
        return everywhere
    return [Together.of(list(dict.fromkeys(at_point[0] for at_point in holding)))]


def _nothing_at(
    point: Point, found: Sequence[Candidate], prompt: Prompt, segmentation: Segmentation
) -> InputError:
    """Why there is no candidate at a point."""
    for candidate in found:
        if candidate.holds(point):
            other = next(filter(candidate.holds, prompt.not_points))
            return InputError(
                f"the segmenter cannot tell the point {shown(point)} from {shown(other)}, which is "
                f"not on the object: one {candidate.class_name} holds both",
                hint="name a segmenter that cuts an object out by points, such as `segmenter: "
                f"{usual_segmenter('by-pointing')}`, or add points between them",
            )
    what = _not_found(prompt, f" at the point {shown(point)}")
    return InputError(what, hint=f"found: {describe(segmentation)}")


def choose(
    found: Sequence[Candidate],
    select: Select,
    segmentation: Segmentation,
    on_event: Observer = ignore,
) -> Sequence[Candidate]:
    """The selected ones of the `candidates`: one, or all of them.

    A note tells if there are several, and which of several classes are no part of it.

    Raises:
        InputError: there is none, or none of this index.
    """
    index = _selected_index(select, len(found), segmentation, on_event)
    chosen = found if index is None else [found[index]]
    if len(select.prompt.classes) > 1:
        inside = mask_of(chosen).decision[0] > 0
        seen = most_probable(segmentation.probabilities)[inside].bincount().nonzero().flatten()
        names = {segmentation.classes[index] for index in seen.tolist()}
        missing = [name for name in select.prompt.classes if name not in names]
        if 0 < len(missing) < len(select.prompt.classes):
            on_event(Note(f"the object that was found has no {' and no '.join(missing)} in it"))
    return chosen


def refine(mask: Mask, image: Tensor, segmenter: Use) -> Mask:
    """The mask of an object after the refiner of the segmenter that found it, if it has one."""
    return segmenter.refine.create().refine(image, mask) if segmenter.refine else mask


def _selected_index(
    select: Select, count: int, segmentation: Segmentation, on_event: Observer
) -> int | None:
    """The index of the selected one among so many candidates; None for all of them."""
    if not count:
        box = select.box
        what = _not_found(select.prompt, f" in the box {shown(box)}" if box else "")
        raise InputError(what, hint=f"found: {describe(segmentation)}")
    if select.instance == "all":
        return None
    if select.instance == "largest":
        if count > 1:
            on_event(
                Note(
                    f"{count} separate regions fit; taking the largest "
                    "(others: `instance: 1` and so on, or `instance: all`)"
                )
            )
        return 0
    if select.instance >= count:
        hint = f"{count} fit{'s' if count == 1 else ''}, numbered from 0, largest first"
        raise InputError(f"there is no instance {select.instance}", hint=hint)
    return select.instance


def _not_found(prompt: Prompt, where: str) -> str:
    what = f"no {' or '.join(prompt.classes)}" if prompt.classes else "no object"
    apart = (
        ", apart from what is not to be on it" if prompt.not_points and not prompt.points else ""
    )
    return f"{what} was found{where}{apart}"


def describe(segmentation: Segmentation) -> str:
    """The classes found, such as ``cat (23% of the picture), sofa (4% of the picture)``."""
    names, winner = segmentation.classes, most_probable(segmentation.probabilities)
    counts = torch.bincount(winner.flatten(), minlength=len(names)).tolist()
    shares = {name: count / winner.numel() for name, count in zip(names, counts, strict=True)}
    there = [item for item in shares.items() if item[1] and item[0] != BACKGROUND]
    found = sorted(there, key=lambda item: -item[1])
    words = [f"{name} ({_percent(share)} of the picture)" for name, share in found]
    return ", ".join(words) or "nothing"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
