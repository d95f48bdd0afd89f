"""Choosing a style: the pictures of a folder, ranked for an object."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.plan import Plan
from instyle_core.config.spec import Color
from instyle_core.errors import InputError, PluginError
from instyle_core.events import Note, Observer, Ranked, Teller
from instyle_core.images.picture import Picture, read_picture
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.ranker import Ranker, Rating
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.objects.find import FoundObject
from instyle_core.painting.color import Palette
from instyle_core.painting.features import FeatureStack, PictureView
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import style_at
from instyle_core.painting.style_picture import style_of
from instyle_core.plugin.use import Use

#: Long side, in pixels, of the pictures that are compared. It is the same for all of them, so that
#: the resolution of a file does not matter.
SIDE = 256

#: If no picture can be read, so many of them are named in the error.
_FEW = 3


@dataclass(frozen=True)
class Subject:
    """An object that a style is chosen for.

    Attributes:
        content: the photo around it, float32 (3, H, W), in [0, 1].
        mask: 0 or 1, (1, H, W): the object.
        palette: the colors of the object.
    """

    content: Tensor
    mask: Tensor
    palette: Palette


@torch.no_grad()
def rank(
    pictures: Sequence[Path],
    photo: Path,
    subjects: Sequence[Subject],
    use: Use,
    extractors: Mapping[str, FeatureExtractor],
    device: torch.device,
    on_event: Observer,
    *,
    max_megapixels: float,
    params: Mapping[str, ExtractorParams] | None = None,
) -> list[dict[Path, Rating]]:
    """Rank style pictures for each of several objects.

    Each picture is read once, and goes through the networks once unless it is recolored for each
    object. Networks compute in float32 on every device, so that the choice is the same.

    Args:
        pictures: files. Those that cannot be read, and the photo itself, are skipped with a note.
        photo: the file that the objects are in.
        subjects: the objects.
        use: the ranker.
        extractors: those that the ranker reads, by their names in the spec.
        device: where to compute.
        on_event: is told the pictures that are skipped.
        max_megapixels: larger pictures are skipped.
        params: the extractors' parameters, by the same names.

    Returns:
        For each object the ratings of the pictures that could be read, best first; pictures with
        equal scores are in the order of `pictures`.

    Raises:
        InputError: no picture can be read.
        PluginError: the ranker gives a score that is no number, or is broken otherwise.
    """
    ranker: Ranker = use.create()
    stack = FeatureStack(extractors, [use.reads()], device, params=params)
    contents = [_content_view(subject, stack) for subject in subjects]
    ratings: list[dict[Path, Rating]] = [{} for _ in subjects]
    broken: list[str] = []
    for path in pictures:
        try:
            if os.path.exists(path) and os.path.samefile(path, photo):
                raise InputError("it is the photo itself")
            picture, _ = style_of(read_picture(path, max_megapixels=max_megapixels))
        except InputError as error:
            broken.append(f"{path.name}: {error.what}")
            on_event(Note(f"{path} is skipped: {error.what}"))
            continue
        picture = style_at(picture, (SIDE, SIDE), 1.0)
        plain: PictureView | None = None
        for subject, content, rated in zip(subjects, contents, ratings, strict=True):
            style = subject.palette.style(picture)
            if style is not picture:
                view = _style_view(style, stack)
            else:
                view = plain = plain or _style_view(picture, stack)
            try:
                rated[path] = ranker.rate(content, view)
            except PluginError as error:
                error.where = str(path)
                raise
    if not ratings[0]:
        what = "no picture in this folder can be read"
        more = f"; and {len(broken) - _FEW} more" if len(broken) > _FEW else ""
        hint = "; ".join(broken[:_FEW]) + more
        raise InputError(what, where=str(pictures[0].parent), hint=hint)
    # Sorting keeps the order of pictures with equal scores.
    return [dict(sorted(rated.items(), key=lambda item: item[1].score)) for rated in ratings]


def choose_styles(
    objects: Sequence[FoundObject], photo: Picture, plan: Plan, networks: Networks, tell: Teller
) -> list[FoundObject]:
    """Rank the pictures of style folders for the objects that choose from one.

    Args:
        objects: all objects of the run.
        photo: the picture that they are in.
        plan: of the run.
        networks: extractors and device.
        tell: is told the rankings, and the pictures that are skipped.

    Returns:
        The objects in the same order; those that choose from a folder have a ranking.

    Raises:
        InputError: no picture of a folder can be read.
    """
    groups = defaultdict(list)  # objects of one folder and ranker: its pictures are read once
    for found in objects:
        if found.plan.style.choose_from:
            groups[found.plan.style.choose_from, repr(found.plan.style.ranker)].append(found)
    if not groups:
        return [*objects]
    rankings: dict[int | None, dict[Path, Rating]] = {}
    with tell.stage("rank"):
        for (folder, _), group in groups.items():
            use = group[0].plan.style.ranker
            assert use  # each style with a folder has a ranker
            ranked = rank(
                folder.pictures,
                photo.path,
                [
                    subject_of(photo.pixels, found.mask, found.plan.color, plan.spec.margin)
                    for found in group
                ],
                use,
                networks.extractors,
                networks.device,
                tell,
                max_megapixels=plan.spec.max_megapixels,
                params=networks.params,
            )
            rankings |= zip((found.number for found in group), ranked, strict=True)
        for number, ranking in sorted(rankings.items(), key=lambda entry: entry[0] or 0):
            tell(Ranked(number, ranking))
    return [replace(found, ranking=rankings.get(found.number)) for found in objects]


def subject_of(photo: Tensor, mask: Mask | None, color: Color, margin: float) -> Subject:
    """An object of a photo with context around it, or the whole photo if there is no mask.

    Args:
        photo: (3, H, W).
        mask: of the object.
        color: the key ``color`` of the spec.
        margin: the context, as a fraction of the object's long side.
    """
    decision = mask.decision if mask else torch.ones_like(photo[:1])
    box = crop_box(decision, margin)
    content, inside = crop(photo, box), crop(decision, box)
    return Subject(content, inside, Palette(color, content, inside))


def dump_ranking(ranking: Mapping[Path, Rating]) -> list[dict[str, Any]]:
    """A ranking as plain data, best first."""
    return [
        {"picture": str(path), "score": rating.score, "figures": dict(rating.figures)}
        for path, rating in ranking.items()
    ]


def _content_view(subject: Subject, stack: FeatureStack) -> PictureView:
    seen = subject.palette.seen(style_at(subject.content, (SIDE, SIDE), 1.0))
    coverage = F.interpolate(subject.mask[None], seen.shape[1:], mode="area")
    mask = MaskPyramid(coverage.to(stack.device), stack.strides)
    return stack.view(seen[None].to(stack.device), mask)


def _style_view(picture: Tensor, stack: FeatureStack) -> PictureView:
    batch = picture[None].to(stack.device)
    return stack.view(batch, MaskPyramid(torch.ones_like(batch[:, :1])))
