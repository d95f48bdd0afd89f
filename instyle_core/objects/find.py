"""Finds the objects that a spec selects, and assigns each pixel to one of them at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instyle_core.config.plan import ObjectPlan
from instyle_core.config.select import Select, shrunk
from instyle_core.errors import InputError
from instyle_core.events import Note, Observer, Teller, ignore
from instyle_core.images.picture import Picture
from instyle_core.interfaces.pictures import Box, Mask, Size
from instyle_core.interfaces.ranker import Rating
from instyle_core.interfaces.segmenter import Segmentation
from instyle_core.objects.boxes import crop_box
from instyle_core.objects.select import refine, select_object
from instyle_core.plugin.use import Use


@dataclass(frozen=True, eq=False)
class FoundObject:
    """An object of the photo, or the whole picture.

    Attributes:
        number: its place in the spec, from 0; None for the whole picture.
        plan: how it is to be repainted.
        mask: where it is; for the whole picture, ones.
        paints: 0 or 1, (1, H, W): the pixels to repaint; those of two objects never overlap.
        box: the crop of the photo that is optimized.
        ranking: the rated pictures of a style folder, best first; None if the spec names the style.
    """

    number: int | None
    plan: ObjectPlan
    mask: Mask
    paints: Tensor
    box: Box
    ranking: Mapping[Path, Rating] | None = None

    @property
    def styles(self) -> list[Path]:
        """The style pictures."""
        return [next(iter(self.ranking))] if self.ranking else self.plan.style.images or []

    @property
    def size(self) -> Size:
        """(height, width) of the crop."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0


def find_objects(
    picture: Picture, items: Mapping[int | None, ObjectPlan], margin: float, tell: Teller
) -> list[FoundObject]:
    """Find the objects of a plan. A pixel that several of them claim goes to the first of them.

    Args:
        picture: the photo.
        items: the objects by number, or the whole picture under None.
        margin: context around an object, as a fraction of its box's long side.
        tell: is told the stages and notes.

    Raises:
        InputError: an object is not found, or earlier ones cover all of it.
    """
    nothing = torch.zeros_like(picture.pixels[:1])
    if None in items:
        height, width = picture.size
        everything = 1 - nothing
        mask = Mask(everything, everything)
        return [FoundObject(None, items[None], mask, everything, (0, 0, width, height))]
    masks: list[Mask] = []
    segmentations: dict[Any, Segmentation] = {}
    claimed = nothing
    for number, item in items.items():
        with tell.stage("segment", number):
            mask = find_object(picture, item.segmenter, item.select, tell, segmentations)
            masks.append(_unclaimed(mask, claimed, number, tell))
            claimed = torch.maximum(claimed, mask.decision)

    found = []
    painted = nothing
    for (number, item), mask in zip(items.items(), masks, strict=True):
        wanted = item.merger.create().paints(mask)
        # Not the pixels of other objects, nor those around earlier objects that these repaint.
        others = claimed * (1 - mask.decision)
        paints = wanted * (1 - torch.maximum(others, painted))
        painted = torch.maximum(painted, paints)
        box = crop_box(mask.decision, margin, paints)
        found.append(FoundObject(number, item, mask, paints, box))
    return found


def find_object(
    picture: Picture,
    segmenter: Use,
    select: Select,
    on_event: Observer = ignore,
    segmentations: dict[Any, Segmentation] | None = None,
) -> Mask:
    """The refined mask of the selected object.

    Args:
        picture: the photo.
        segmenter: finds the object.
        select: which object it is, in pixels of the photo's file.
        on_event: is told if several objects fit, and what the segmenter notes.
        segmentations: earlier results for this photo, which are not computed again; this one is
            added.

    Raises:
        InputError: there is no such object, or the selection lies outside of the photo.
    """
    select, segmentation = segment(picture, segmenter, select, segmentations, on_event)
    mask = select_object(segmentation, select, on_event)
    return refine(mask, picture.pixels, segmenter)


def segment(
    picture: Picture,
    segmenter: Use,
    select: Select,
    segmentations: dict[Any, Segmentation] | None = None,
    on_event: Observer = ignore,
) -> tuple[Select, Segmentation]:
    """Segment a picture; arguments as for `find_object`.

    Returns:
        The selection, in pixels of the picture as it was read, and the segmentation.
    """
    select = shrunk(select, picture.full_size or picture.size, picture.size)
    prompt = select.prompt
    segmentations = {} if segmentations is None else segmentations
    key = (repr(segmenter), prompt)
    if key not in segmentations:
        segmentations[key] = segmenter.create().segment(picture.pixels, prompt)
        for note in segmentations[key].notes:
            on_event(Note(note))
    return select, segmentations[key]


def _unclaimed(mask: Mask, claimed: Tensor, number: int | None, tell: Teller) -> Mask:
    """The part of a mask that no earlier object has claimed."""
    free = 1 - claimed
    left = float((mask.decision * free).sum() / mask.decision.sum())
    if not left:
        raise InputError(
            "nothing is left of this object: earlier ones cover it",
            hint="a pixel belongs to the first object in the spec that contains it",
        )
    if left < 1:
        tell(Note(f"objects.{number}: earlier objects cover {1 - left:.1%} of it"))
    return mask.each(lambda layer: layer * free)
