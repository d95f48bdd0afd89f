"""Objects to train and evaluate on, out of the class masks of photos."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from instyle_click.clicks import Binary
from instyle_training.voc import IGNORED

Labels = NDArray[np.uint8]

#: The smallest region that is an object, as a fraction of the photo; and in pixels.
LEAST, FEWEST = 0.002, 100


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region (8 neighbors) of one class.

    Attributes:
        label: the class's number.
        inside: (H, W).
        area: in pixels.
        touching: whether it touches a region of another class; the unlabeled band between them
            does not part them.
    """

    label: int
    inside: Binary
    area: int
    touching: bool


def regions(mask: Labels) -> list[Region]:
    """The objects of a photo, the largest first.

    Args:
        mask: class numbers (H, W), 0 for the background, and `IGNORED`.
    """
    found = []
    for label in np.unique(mask).tolist():
        if label in (0, IGNORED):
            continue
        _, parts, statistics, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8))
        for number, area in enumerate(statistics[1:, cv2.CC_STAT_AREA].tolist(), start=1):
            if area < max(FEWEST, LEAST * mask.size):
                continue
            inside = parts == number
            found.append(Region(label, inside, area, _touches_another(inside, label, mask)))
    return sorted(found, key=lambda region: -region.area)


def _touches_another(inside: Binary, label: int, mask: Labels) -> bool:
    # The unlabeled band along VOC's outlines is about 5 pixels wide on photos of 500.
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    around = cv2.dilate(inside.astype(np.uint8), reach) > 0
    others = (mask != 0) & (mask != IGNORED) & (mask != label)
    return int((around & others).sum()) >= 20
