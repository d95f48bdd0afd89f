"""From a segmentation to the mask of one object."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core.errors import InputError
from instyle_core.events import Note, Observer, ignore
from instyle_core.interfaces import Instance, Mask, Prompt, Segmentation, Size
from instyle_core.spec import Select

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


def select_object(segmentation: Segmentation, select: Select, on_event: Observer = ignore) -> Mask:
    """The mask of the object that the user meant.

    A segmenter that tells objects apart is taken at its word. A semantic one is not able to: the
    pixels of each class are split into connected components, which keeps touching objects of one
    class together. Where several fit, a note says so.

    Raises:
        InputError: there is no such object; it says what there is.
    """
    name = select.class_name
    if name is not None and name not in segmentation.classes:
        known = [c for c in segmentation.classes if c != BACKGROUND]
        raise InputError(
            f"the segmenter does not know the class '{name}'", hint=f"it knows {', '.join(known)}"
        )
    if segmentation.instances is not None:
        fitting = [i for i in segmentation.instances if name in (None, i.class_name)]
        masks = [_within(Mask(i.mask, (i.mask >= 0.5).float()), select) for i in fitting]
        masks = [mask for mask in masks if mask.decision.any()]
        masks.sort(key=lambda mask: -float(mask.decision.sum()))
        number = _number(select, len(masks), segmentation, on_event)
        return _union(masks if number is None else [masks[number]])

    regions = _regions(segmentation, select)
    number = _number(select, len(regions), segmentation, on_event)
    return _cut(regions if number is None else [regions[number]])


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


def instances_of(segmentation: Segmentation) -> list[Instance]:
    """Every object of a segmentation, by falling area: the model's own, or connected components.

    Components below a thousandth of the picture are specks and left out.
    """
    found = list(segmentation.instances or ())
    if segmentation.instances is None:
        for region in _regions(segmentation, Select()):
            if region.area < 1e-3 * segmentation.probabilities[0].numel():
                break
            mask = _cut([region])
            score = float(mask.probability[mask.decision > 0].mean())
            found.append(Instance(region.class_name, mask.decision, score))
    return sorted(found, key=lambda instance: -float((instance.mask >= 0.5).sum()))


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """The tight box (x0, y0, x1, y1) of a mask (1, H, W) that is not empty."""
    rows = torch.nonzero(mask[0].amax(dim=1) > 0)
    columns = torch.nonzero(mask[0].amax(dim=0) > 0)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


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


@dataclass(frozen=True)
class _Region:
    """A connected component of a class.

    Attributes:
        class_name: the class.
        area: in pixels.
        whole: the mask of all of the class.
        territories: (H, W), the label of the component that is nearest to each pixel.
        label: its own.
    """

    class_name: str
    area: int
    whole: Mask
    territories: NDArray[np.int32]
    label: int


def _cut(regions: Sequence[_Region]) -> Mask:
    """The regions, each with the soft rim around it that is nearer to it than to others."""
    by_class = defaultdict(list)
    for region in regions:
        by_class[region.class_name].append(region)
    masks = []
    for group in by_class.values():
        whole = group[0].whole
        own = np.isin(group[0].territories, [region.label for region in group])
        mine = torch.from_numpy(own).to(whole.decision.device)
        masks.append(Mask(whole.probability * mine, whole.decision * mine))
    return _union(masks)


def _regions(segmentation: Segmentation, select: Select) -> list[_Region]:
    """The components (8 neighbours) that fit, by falling area."""
    winner = segmentation.probabilities.argmax(dim=0, keepdim=True)
    regions = []
    for index, name in enumerate(segmentation.classes):
        if name == BACKGROUND or select.class_name not in (None, name):
            continue
        mask = Mask(segmentation.probabilities[index][None], (winner == index).float())
        mask = _within(mask, select)
        inside = mask.decision[0].cpu().numpy() > 0
        if not inside.any():
            continue
        _, territories = cv2.distanceTransformWithLabels(
            (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
        )
        areas = np.bincount(territories[inside])
        labels: list[int] = np.flatnonzero(areas).tolist()
        if select.point is not None:
            x, y = select.point
            labels = [int(territories[y, x])]
        regions += [_Region(name, int(areas[n]), mask, territories, n) for n in labels]
    return sorted(regions, key=lambda region: -region.area)


def _union(masks: Sequence[Mask]) -> Mask:
    return Mask(
        torch.stack([mask.probability for mask in masks]).amax(dim=0),
        torch.stack([mask.decision for mask in masks]).amax(dim=0),
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
