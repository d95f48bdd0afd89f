"""From a segmentation to the mask of one object."""

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
    """What the segmenter is told, checked against the picture.

    Raises:
        InputError: the point or the box lies outside of the picture, or the box is empty.
    """
    height, width = size
    if select.point is not None:
        x, y = select.point
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"the point {list(select.point)} is outside of the picture",
                hint=f"x goes from 0 to {width - 1}, y from 0 to {height - 1}",
            )
    if select.box is not None:
        x0, y0, x1, y1 = select.box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InputError(
                f"the box {list(select.box)} is empty or reaches outside of the picture",
                hint=f"[x0, y0, x1, y1] with 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}",
            )
    return Prompt(select.class_name, select.point, select.box)


def shrunk(select: Select, size: Size, smaller: Size) -> Select:
    """The same object in a picture that was shrunk; point and box are checked against the larger.

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
    """The mask of the object that the user meant.

    A segmenter that tells objects apart is taken at its word. A semantic one is not able to: the
    pixels of each class are split into connected components, which keeps touching objects of one
    class together. Where several fit, a note says so.

    Raises:
        InputError: there is no such object; it says what there is.
    """
    found = candidates(segmentation, select)
    return mask_of(choose(found, select, segmentation, on_event))


def candidates(segmentation: Segmentation, select: Select) -> list[Candidate]:
    """Every object that fits class, point and box, by falling area: `instance` is its place here.

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
        found += _regions(segmentation, select)
    else:
        fitting = [i for i in segmentation.instances if name in (None, i.class_name)]
        objects = [_Seen.of(instance, select) for instance in fitting]
        found += [candidate for candidate in objects if candidate.area]
    return sorted(found, key=lambda candidate: -candidate.area)


def choose(
    found: Sequence[Candidate],
    select: Select,
    segmentation: Segmentation,
    on_event: Observer = ignore,
) -> Sequence[Candidate]:
    """Those of the `candidates` that the user meant: one, or all of them.

    Raises:
        InputError: there is none, or not so many.
    """
    number = _number(select, len(found), segmentation, on_event)
    return found if number is None else [found[number]]


def mask_of(chosen: Sequence[Candidate]) -> Mask:
    """The mask of one or several of the `candidates` together."""
    regions = [candidate for candidate in chosen if isinstance(candidate, _Region)]
    if regions:
        return merge_regions(regions)
    return reduce(_union, (candidate.mask() for candidate in chosen))


def refine(mask: Mask, image: Tensor, segmenter: Use) -> Mask:
    """The mask of an object after the refiner of the segmenter that found it, if it has one."""
    return segmenter.refine.create().refine(image, mask) if segmenter.refine else mask


def _number(
    select: Select, count: int, segmentation: Segmentation, on_event: Observer
) -> int | None:
    """Which of so many candidates the user meant; None for all of them."""
    if not count:
        raise InputError(_nothing(select), hint=f"found: {describe(segmentation)}")
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
        hint = f"{count} fit{'s' if count == 1 else ''}, counted from 0 by falling area"
        raise InputError(f"there is no instance {select.instance}", hint=hint)
    return select.instance


def describe(segmentation: Segmentation) -> str:
    """What a segmentation holds, such as ``cat (23% of the picture), sofa (4%)``."""
    winner = segmentation.probabilities.argmax(dim=0)
    shares = {
        name: float((winner == index).float().mean())
        for index, name in enumerate(segmentation.classes)
        if name != BACKGROUND
    }
    seen = sorted((item for item in shares.items() if item[1] > 0), key=lambda item: -item[1])
    return (
        ", ".join(f"{name} ({_percent(share)} of the picture)" for name, share in seen) or "nothing"
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


@dataclass(frozen=True, eq=False)
class Candidate(ABC):
    """An object that may be meant. Its mask is made when it is asked for: there may be many.

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
        """Whether it is a component of under a thousandth of the picture."""
        return False

    @abstractmethod
    def mask(self) -> Mask:
        """Which pixels are its own."""


@dataclass(frozen=True, eq=False)
class _Seen(Candidate):
    """An object that the model told apart."""

    instance: Instance
    select: Select

    @classmethod
    def of(cls, instance: Instance, select: Select) -> _Seen:
        seen = cls(instance.class_name, 0, instance.score, instance, select)
        return replace(seen, area=int(seen.mask().decision.sum()))

    def mask(self) -> Mask:
        mask = self.instance.mask
        return _within(Mask(mask, (mask >= 0.5).float()), self.select)


@dataclass(frozen=True, eq=False)
class _Region(Candidate):
    """A connected component of a class.

    Attributes:
        whole: the mask of all of the class.
        territories: (H, W), the label of the component that is nearest to each pixel.
        label: its own.
    """

    whole: Mask
    territories: NDArray[np.int32]
    label: int

    @property
    def is_speck(self) -> bool:
        return self.area < 1e-3 * self.territories.size

    def mask(self) -> Mask:
        return merge_regions([self])


def merge_regions(regions: Sequence[_Region]) -> Mask:
    """The regions, each with the soft rim around it that is nearer to it than to others."""
    by_class = defaultdict(list)
    for region in regions:
        by_class[region.class_name].append(region)
    masks = []
    for group in by_class.values():
        whole = group[0].whole
        territories = group[0].territories
        chosen = np.zeros(int(territories.max()) + 1, dtype=bool)
        chosen[[region.label for region in group]] = True
        mine = torch.from_numpy(chosen[territories]).to(whole.decision.device)
        masks.append(Mask(whole.probability * mine, whole.decision * mine))
    return reduce(_union, masks)


def _regions(segmentation: Segmentation, select: Select) -> list[_Region]:
    """The components (8 neighbors) that fit."""
    winners = np.unique(segmentation.probabilities.argmax(dim=0).cpu().numpy()).tolist()
    regions = []
    for index, name in enumerate(segmentation.classes):
        if name == BACKGROUND or select.class_name not in (None, name) or index not in winners:
            continue
        mask = _within(class_mask(segmentation.probabilities, index), select)
        inside = mask.decision[0].cpu().numpy() > 0
        if not inside.any():
            continue
        _, territories = cv2.distanceTransformWithLabels(
            (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
        )
        own = territories[inside]
        areas = np.bincount(own)
        sums = np.bincount(own, weights=segmentation.probabilities[index].cpu().numpy()[inside])
        labels: list[int] = np.flatnonzero(areas).tolist()
        if select.point is not None:
            x, y = select.point
            labels = [int(territories[y, x])]
        regions += [
            _Region(name, int(areas[n]), float(sums[n] / areas[n]), mask, territories, n)
            for n in labels
        ]
    return regions


def class_mask(probabilities: Tensor, index: int) -> Mask:
    """The mask of a class; its probability is that of the class against the likeliest other one.

    With p_k the probabilities of K classes, it is ``p_c / (p_c + max_{k != c} p_k)``: above one
    half just where the class wins. Of two classes it is p_c itself.

    Args:
        probabilities: (K, H, W).
        index: c.
    """
    own = probabilities[index]
    others = probabilities.clone()
    others[index] = 0
    against = others.amax(dim=0)
    probability = own / (own + against).clamp(min=1e-12)
    winner = probabilities.argmax(dim=0) == index
    return Mask(probability[None], winner[None].float())


def _union(one: Mask, other: Mask) -> Mask:
    return Mask(
        torch.maximum(one.probability, other.probability),
        torch.maximum(one.decision, other.decision),
    )


def _within(mask: Mask, select: Select) -> Mask:
    """The mask inside of the box; nothing where the point is missed."""
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


def _nothing(select: Select) -> str:
    what = f"no {select.class_name}" if select.class_name else "no object"
    if select.point is not None:
        return f"{what} was found at the point {list(select.point)}"
    if select.box is not None:
        return f"{what} was found in the box {list(select.box)}"
    return f"{what} was found"
