"""The style that suits: the pictures of a folder, ranked for an object."""

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
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.ranker import Ranker, Rating
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.objects.find import FoundObject
from instyle_core.painting.color import Palette
from instyle_core.painting.features import FeatureStack, MaskPyramid, PictureView
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import style_at
from instyle_core.plugin.use import Use

#: Long side, in pixels, of the pictures that are compared. All have the same, so that small and
#: large ones can be told from each other by what they show alone.
SIDE = 256


#: So many broken pictures are named where there are no others.
_FEW = 3


@dataclass(frozen=True)
class Subject:
    """An object that a style is looked for.

    Attributes:
        content: the photo around it, float32 (3, H, W), in [0, 1].
        mask: 0 or 1, (1, H, W): the object.
        palette: whose colors it is to have.
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
) -> list[dict[Path, Rating]]:
    """Rank style pictures for each of some objects.

    Each picture is read once, and goes through the networks once, unless it takes on colors of the
    objects. Networks compute in float32 on any device, so that the choice is the same.

    Args:
        pictures: files; one that cannot be read, or is the photo itself, is passed over, and a
            note says so.
        photo: the file that the objects are in.
        subjects: the objects.
        use: the ranker.
        extractors: those that it reads, by the names that it knows them by.
        device: where to compute.
        on_event: told of pictures that are passed over.
        max_megapixels: larger pictures are passed over.

    Returns:
        For each object the ratings of the pictures that could be read, best first; equal ones are
        in the order of `pictures`.

    Raises:
        InputError: no picture can be read.
        PluginError: the ranker gives a score that is no number, or is broken otherwise.
    """
    ranker: Ranker = use.create()
    stack = FeatureStack(extractors, [use.reads()], device)
    contents = [_content_view(subject, stack) for subject in subjects]
    ratings: list[dict[Path, Rating]] = [{} for _ in subjects]
    broken: list[str] = []
    for path in pictures:
        try:
            if os.path.exists(path) and os.path.samefile(path, photo):
                raise InputError("it is the photo itself")
            picture = read_picture(path, max_megapixels=max_megapixels).pixels
        except InputError as error:
            broken.append(f"{path.name}: {error.what}")
            on_event(Note(f"{path} is passed over: {error.what}"))
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
    # Sorting keeps the order of what is equal.
    return [dict(sorted(rated.items(), key=lambda item: item[1].score)) for rated in ratings]


def choose_styles(
    objects: Sequence[FoundObject], photo: Picture, plan: Plan, networks: Networks, tell: Teller
) -> list[FoundObject]:
    """Rank the pictures of style folders for the objects that choose from one.

    Args:
        objects: all objects of the run.
        photo: what they are in.
        plan: of the run.
        networks: extractors and device.
        tell: told of the rankings, and of pictures that are passed over.

    Returns:
        The objects in the same order; those that choose have their ranking.

    Raises:
        InputError: no picture of a folder can be read.
    """
    alike = defaultdict(list)  # objects for which a picture is read once
    for found in objects:
        if found.plan.style.choose_from:
            alike[found.plan.style.choose_from, repr(found.plan.style.ranker)].append(found)
    if not alike:
        return [*objects]
    rankings: dict[int | None, dict[Path, Rating]] = {}
    with tell.stage("rank"):
        for (folder, _), group in alike.items():
            use = group[0].plan.style.ranker
            assert use  # every style with a folder has one
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
            )
            rankings |= zip((found.number for found in group), ranked, strict=True)
        for number, ranking in sorted(rankings.items(), key=lambda entry: entry[0] or 0):
            tell(Ranked(number, ranking))
    return [replace(found, ranking=rankings.get(found.number)) for found in objects]


def subject_of(photo: Tensor, mask: Mask | None, color: Color, margin: float) -> Subject:
    """An object of a photo with context around it; the whole photo where there is no mask."""
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
    return stack.view(seen[None].to(stack.device), MaskPyramid(coverage.to(stack.device)))


def _style_view(picture: Tensor, stack: FeatureStack) -> PictureView:
    batch = picture[None].to(stack.device)
    return stack.view(batch, MaskPyramid(torch.ones_like(batch[:, :1])))
