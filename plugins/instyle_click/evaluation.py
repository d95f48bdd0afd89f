"""The field's protocol: clicks in the middle of the largest error, until the mask is good."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from torch import Tensor

from instyle_click.clicks import Binary, Clicks, next_click
from instyle_click.looks import holding
from instyle_click.objects import Labels, Region, regions
from instyle_training.voc import CLASSES, IGNORED, Photos

#: Clicks after which the mean IoU is told, and IoUs whose number of clicks is.
TOLD, WANTED = (1, 2, 3, 5), (0.85, 0.90)

#: An object is small below this fraction of the photo.
SMALL = 0.02

#: From a photo (3, H, W) in [0, 1] and clicks to the probabilities (H, W).
Method = Callable[[Tensor, Clicks], Tensor]


@dataclass
class Clicked:
    """What came of the clicks on one object.

    Attributes:
        photo: its name.
        class_name: the object's class.
        share: its area, as a fraction of the photo's.
        touching: whether it touches an object of another class.
        largest: whether it is the photo's largest.
        ious: after each click; once the mask is without fault, its IoU of 1 goes on.
        seconds: of each click that was made.
    """

    photo: str
    class_name: str
    share: float
    touching: bool
    largest: bool
    ious: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def clicks_to(self, iou: float) -> int:
        """The first click after which the IoU is at least this; if none, the number of clicks."""
        reached = (number for number, seen in enumerate(self.ious, start=1) if seen >= iou)
        return next(reached, len(self.ious))


def evaluate(
    method: Method,
    photos: Photos,
    on_photo: Callable[[], None],
    *,
    most: int = 20,
    all_objects: bool = True,
) -> list[Clicked]:
    """Click on the objects of photos.

    Only the connected regions of a mask that hold a point on the object count, as in a run.

    Args:
        method: what makes masks of clicks.
        photos: with class masks.
        on_photo: called after each photo.
        most: clicks on an object.
        all_objects: whether to click on all objects of a photo, or on the largest alone.

    Source: Xu et al. 2016, Deep Interactive Object Selection; Sofiiuk et al. 2021, section 4.
    """
    results = []
    for index, name in enumerate(photos.names):
        photo, mask = photos[index]
        labels = mask.numpy()
        there = regions(labels)
        for region in there if all_objects else there[:1]:
            result = Clicked(
                name,
                CLASSES[region.label],
                region.area / labels.size,
                region.touching,
                region is there[0],
            )
            _click_on(region, labels, photo.float() / 255, method, most, result)
            results.append(result)
        on_photo()
    return results


def _click_on(
    region: Region, labels: Labels, photo: Tensor, method: Method, most: int, result: Clicked
) -> None:
    counts = labels != IGNORED
    clicks, found = Clicks(), np.zeros_like(region.inside)
    while len(result.ious) < most:
        following = next_click(region.inside, found, counts)
        if following is None:
            result.ious += [result.ious[-1]] * (most - len(result.ious))
            return
        clicks = clicks.and_then(following[0], on=following[1])
        start = perf_counter()
        found = holding(method(photo, clicks).cpu().numpy() >= 0.5, clicks)
        result.seconds.append(perf_counter() - start)
        result.ious.append(_iou(region.inside, found & counts))


def _iou(truth: Binary, found: Binary) -> float:
    return float((truth & found).sum() / (truth | found).sum())


def summary(results: Iterable[Clicked], most: int) -> dict[str, Any]:
    """The figures of some objects, for JSON.

    `iou` has the means after 1, 2, 3 and 5 clicks; `noc` the mean numbers of clicks until the IoU
    is 0.85 and 0.90 (at most `most`); `failed` the shares of objects that never came so far;
    `seconds` the median of a click. Of no objects, there is their number alone.
    """
    chosen = list(results)
    if not chosen:
        return {"objects": 0}
    seconds = [s for result in chosen for s in result.seconds]
    return {
        "objects": len(chosen),
        "iou": {str(n): _mean(r.ious[n - 1] for r in chosen) for n in TOLD if n <= most},
        "noc": {f"{iou:.2f}": _mean(r.clicks_to(iou) for r in chosen) for iou in WANTED},
        "failed": {f"{iou:.2f}": _mean(max(r.ious) < iou for r in chosen) for iou in WANTED},
        "seconds": float(np.median(seconds)),
    }


def groups(results: list[Clicked], most: int) -> dict[str, Any]:
    """The `summary` of all objects, of the largest of each photo, small ones, touching ones, and of
    each class."""
    kinds: dict[str, Callable[[Clicked], bool]] = {
        "all": lambda result: True,
        "largest": lambda result: result.largest,
        "small": lambda result: result.share < SMALL,
        "touching": lambda result: result.touching,
    }
    told = {name: summary(filter(kind, results), most) for name, kind in kinds.items()}
    names = sorted({result.class_name for result in results})
    told["classes"] = {
        name: summary((r for r in results if r.class_name == name), most) for name in names
    }
    return told


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
