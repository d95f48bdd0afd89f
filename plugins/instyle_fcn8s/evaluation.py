"""The evaluation of a segmentation, over whole photos at their own size."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from instyle_training.boundary import boundary_scores
from instyle_training.metrics import Figures, confusion_of
from instyle_training.voc import IGNORED, Photos, renumbering


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        figures: from one confusion matrix over all pixels of all photos.
        boundary: the boundary F-score of each class but background: its mean over the photos where
            the class is there or was found.
        mean_boundary: the mean of those.
        photos: the mean IoU of each photo over the classes that are there or were found, by name,
            the best first; a photo without any label has none.
    """

    figures: Figures
    boundary: dict[str, float]
    mean_boundary: float
    photos: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """All but the single photos, for JSON; None for a figure that cannot be computed."""
        boundary = {"boundary_f": self.mean_boundary, "boundary_f_by_class": self.boundary}
        figures = {**asdict(self.figures), **boundary}
        return {name: None if value != value else value for name, value in figures.items()}


def evaluate(
    segment: Callable[[Tensor], Tensor],
    photos: Photos,
    classes: Sequence[str],
    on_photo: Callable[[], None],
) -> Evaluation:
    """Segment photos, and compare with their masks.

    Args:
        segment: from a picture, float32 (3, H, W), to class numbers (H, W), in order of `classes`.
        photos: with masks; a class of VOC that is not in `classes` counts as background.
        classes: K names, ``background`` first.
        on_photo: called after each photo.
    """
    numbers = renumbering(classes)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    boundary: dict[str, list[float]] = defaultdict(list)
    each: dict[str, float] = {}
    for name, (photo, mask) in zip(
        photos.names, (photos[i] for i in range(len(photos))), strict=True
    ):
        truth = numbers[mask.long()]
        found = segment(photo.float() / 255)
        counts = confusion_of(found, truth, len(classes))
        confusion += counts
        if counts.any():
            each[name] = Figures.of(counts, classes).mean_iou
        for number, score in boundary_scores(
            truth.numpy(), found.to(torch.uint8).cpu().numpy(), IGNORED
        ).items():
            boundary[classes[number]].append(score)
        on_photo()
    by_class = {name: float(np.mean(boundary[name])) for name in classes if name in boundary}
    return Evaluation(
        figures=Figures.of(confusion, classes),
        boundary=by_class,
        mean_boundary=float(np.mean(list(by_class.values()))) if by_class else float("nan"),
        photos=dict(sorted(each.items(), key=lambda item: -item[1])),
    )
