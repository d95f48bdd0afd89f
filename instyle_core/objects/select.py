"""From a segmentation to the mask of the selected object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core.config.spec import Select
from instyle_core.errors import InputError
from instyle_core.events import Note, Observer, ignore
from instyle_core.interfaces.pictures import Mask, Size
from instyle_core.interfaces.segmenter import Instance, Prompt, Segmentation
from instyle_core.plugin.use import Use

BACKGROUND = "background"


def prompt_of(select: Select, size: Size) -> Prompt:
    """The prompt for the segmenter, checked against the size of the picture.

    Raises:
        InputError: the point or the box lies outside of the picture.
    """
    for what, hint in select.outside(size).values():
        raise InputError(what, hint=hint)
    return Prompt(select.class_name, select.point, select.box)


def shrunk(select: Select, size: Size, smaller: Size) -> Select:
    """The same selection in pixels of a smaller version of the picture.

    Args:
        select: in pixels of the picture; checked against its size.
        size: of the picture.
        smaller: of its smaller version.

    Raises:
        InputError: see `prompt_of`.
    """
    prompt_of(select, size)
    (height, width), (down, across) = size, smaller
    changes: dict[str, Any] = {}
    if select.point is not None:
        x, y = select.point
        changes["point"] = (x * across // width, y * down // height)
    if select.box is not None:
        x0, y0, x1, y1 = select.box
        first = (x0 * across // width, y0 * down // height)
        last = (-(-x1 * across // width), -(-y1 * down // height))  # rounded up
        changes["box"] = (*first, *last)
    return select.model_copy(update=changes)


def select_object(segmentation: Segmentation, select: Select, on_event: Observer = ignore) -> Mask:
    """The mask of the selected object.

    The instances of a segmenter that has them are the objects. Without instances, the connected
    components of each class are; touching objects of one class are then one object. If several
    objects fit, a note says so.

    Raises:
        InputError: there is no such object; the error lists what was found.
    """
    found = candidates(segmentation, select)
    return mask_of(choose(found, select, segmentation, on_event))


def candidates(segmentation: Segmentation, select: Select) -> list[Candidate]:
    """The objects that fit class, point and box, largest first; `instance` is the index in them.

    Raises:
        InputError: the segmenter does not know the class.
    """
    name = select.class_name
    if name is not None and name not in segmentation.classes:
        known = [c for c in segmentation.classes if c != BACKGROUND]
        raise InputError(
            f"the segmenter does not know the class '{name}'", hint=f"it knows {', '.join(known)}"
        )
    found: list[Candidate] = []
    if segmentation.instances is None:
        found += _components(segmentation, select)
    else:
        fitting = [i for i in segmentation.instances if name in (None, i.class_name)]
        objects = [_InstanceCandidate.of(instance, select) for instance in fitting]
        found += [candidate for candidate in objects if candidate.area]
    return sorted(found, key=lambda candidate: -candidate.area)


def choose(
    found: Sequence[Candidate],
    select: Select,
    segmentation: Segmentation,
    on_event: Observer = ignore,
) -> Sequence[Candidate]:
    """The selected ones of the `candidates`: one, or all of them.

    Raises:
        InputError: there is none, or none of this index.
    """
    index = _selected_index(select, len(found), segmentation, on_event)
    return found if index is None else [found[index]]


def mask_of(chosen: Sequence[Candidate]) -> Mask:
    """The union of the masks of some of the `candidates`."""
    components = [candidate for candidate in chosen if isinstance(candidate, _ComponentCandidate)]
    if components:
        return _merge_components(components)
    return reduce(_union, (candidate.mask() for candidate in chosen))


def refine(mask: Mask, image: Tensor, segmenter: Use) -> Mask:
    """The mask of an object after the refiner of the segmenter that found it, if it has one."""
    return segmenter.refine.create().refine(image, mask) if segmenter.refine else mask


def _selected_index(
    select: Select, count: int, segmentation: Segmentation, on_event: Observer
) -> int | None:
    """The index of the selected one among so many candidates; None for all of them."""
    if not count:
        raise InputError(_not_found(select), hint=f"found: {describe(segmentation)}")
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


def describe(segmentation: Segmentation) -> str:
    """The classes found, such as ``cat (23% of the picture), sofa (4% of the picture)``."""
    winner = segmentation.probabilities.argmax(dim=0)
    shares = {
        name: float((winner == index).float().mean())
        for index, name in enumerate(segmentation.classes)
        if name != BACKGROUND
    }
    found = sorted((item for item in shares.items() if item[1] > 0), key=lambda item: -item[1])
    words = [f"{name} ({_percent(share)} of the picture)" for name, share in found]
    return ", ".join(words) or "nothing"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


@dataclass(frozen=True, eq=False)
class Candidate(ABC):
    """An object that may be the selected one. There may be thousands; `mask` makes the mask.

    Attributes:
        class_name: its class.
        area: in pixels.
        score: the confidence, in [0, 1]: the model's, or the mean probability of a component.
    """

    class_name: str
    area: int
    score: float

    @property
    def is_speck(self) -> bool:
        """Whether it is a component of less than a thousandth of the picture."""
        return False

    @abstractmethod
    def mask(self) -> Mask:
        """The mask of the object."""


@dataclass(frozen=True, eq=False)
class _InstanceCandidate(Candidate):
    """An instance of a segmenter that has them."""

    instance: Instance
    select: Select

    @classmethod
    def of(cls, instance: Instance, select: Select) -> _InstanceCandidate:
        candidate = cls(instance.class_name, 0, instance.score, instance, select)
        return replace(candidate, area=int(candidate.mask().decision.sum()))

    def mask(self) -> Mask:
        mask = self.instance.mask
        return _restrict(Mask(mask, (mask >= 0.5).float()), self.select)


@dataclass(frozen=True, eq=False)
class _ComponentCandidate(Candidate):
    """A connected component of a class.

    Attributes:
        whole: the mask of the whole class.
        nearest: (H, W), the label of the component that is nearest to each pixel.
        label: the label of this component.
    """

    whole: Mask
    nearest: NDArray[np.int32]
    label: int

    @property
    def is_speck(self) -> bool:
        return self.area < 1e-3 * self.nearest.size

    def mask(self) -> Mask:
        return _merge_components([self])


def _merge_components(components: Sequence[_ComponentCandidate]) -> Mask:
    """The union of components; each pixel's probability belongs to the nearest component."""
    by_class = defaultdict(list)
    for component in components:
        by_class[component.class_name].append(component)
    masks = []
    for group in by_class.values():
        whole, nearest = group[0].whole, group[0].nearest
        is_chosen = np.zeros(int(nearest.max()) + 1, dtype=bool)
        is_chosen[[component.label for component in group]] = True
        chosen = torch.from_numpy(is_chosen[nearest]).to(whole.decision.device)
        masks.append(Mask(whole.probability * chosen, whole.decision * chosen))
    return reduce(_union, masks)


def _components(segmentation: Segmentation, select: Select) -> list[_ComponentCandidate]:
    """The connected components (8 neighbors) of each class that fit."""
    winners = np.unique(segmentation.probabilities.argmax(dim=0).cpu().numpy()).tolist()
    components = []
    for index, name in enumerate(segmentation.classes):
        if name == BACKGROUND or select.class_name not in (None, name) or index not in winners:
            continue
        mask = _restrict(class_mask(segmentation.probabilities, index), select)
        inside = mask.decision[0].cpu().numpy() > 0
        if not inside.any():
            continue
        _, nearest = cv2.distanceTransformWithLabels(
            (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
        )
        own = nearest[inside]
        areas = np.bincount(own)
        sums = np.bincount(own, weights=segmentation.probabilities[index].cpu().numpy()[inside])
        labels: list[int] = np.flatnonzero(areas).tolist()
        if select.point is not None:
            x, y = select.point
            labels = [int(nearest[y, x])]
        components += [
            _ComponentCandidate(name, int(areas[n]), float(sums[n] / areas[n]), mask, nearest, n)
            for n in labels
        ]
    return components


def class_mask(probabilities: Tensor, index: int) -> Mask:
    """The mask of one class c out of the probabilities p of K classes.

    Its decision is 1 where c is the most probable class. Its probability compares c with the most
    probable other class, ``p_c / (p_c + max_{k != c} p_k)``, so that it is above one half exactly
    where c is the most probable. With two classes it is p_c.

    Args:
        probabilities: p, (K, H, W).
        index: c.
    """
    own = probabilities[index]
    others = probabilities.clone()
    others[index] = 0
    probability = own / (own + others.amax(dim=0)).clamp(min=1e-12)
    decision = probabilities.argmax(dim=0) == index
    return Mask(probability[None], decision[None].float())


def _union(one: Mask, other: Mask) -> Mask:
    return Mask(
        torch.maximum(one.probability, other.probability),
        torch.maximum(one.decision, other.decision),
    )


def _restrict(mask: Mask, select: Select) -> Mask:
    """The part of a mask inside of the box; an empty one if the point is not in it."""
    if select.box is not None:
        x0, y0, x1, y1 = select.box
        inside = torch.zeros_like(mask.decision)
        inside[:, y0:y1, x0:x1] = 1
        mask = Mask(mask.probability * inside, mask.decision * inside)
    if select.point is not None:
        x, y = select.point
        if not mask.decision[0, y, x]:
            return Mask(torch.zeros_like(mask.probability), torch.zeros_like(mask.decision))
    return mask


def _not_found(select: Select) -> str:
    what = f"no {select.class_name}" if select.class_name else "no object"
    if select.point is not None:
        return f"{what} was found at the point {list(select.point)}"
    if select.box is not None:
        return f"{what} was found in the box {list(select.box)}"
    return f"{what} was found"
