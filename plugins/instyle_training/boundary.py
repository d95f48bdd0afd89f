"""The boundary F-score: how near found boundaries are to the true ones."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

#: How far a boundary may be off, in pixels.
TOLERANCE = 3

Labels = NDArray[np.uint8]


def boundary_scores(
    truth: Labels, found: Labels, ignored: int, tolerance: float = TOLERANCE
) -> dict[int, float]:
    """The boundary F-score of each class that is there or was found, but background (0).

    The boundary of a class consists of its pixels that have a pixel of another class above, below,
    left or right of them; the border of the picture is no boundary. Precision is the share of the
    found boundary that lies at most `tolerance` pixels from the true one, recall the share of the
    true one that lies so near the found one, and F = 2 P R / (P + R). A class without any boundary
    (it fills the picture) has F = 1 where both have none.

    VOC leaves a band along its boundaries unlabeled. Ignored pixels get the label of the nearest
    labeled one in `truth`, so that the true boundary runs in the middle of the band, and all that
    was found counts. A picture without any label has no scores.

    Args:
        truth: (H, W), with `ignored` pixels.
        found: (H, W).
        ignored: the label of pixels without one.
        tolerance: in pixels, Euclidean.

    Source: Csurka et al. 2013, What is a good evaluation measure for semantic segmentation?
    """
    if (truth == ignored).all():
        return {}
    truth = _filled(truth, ignored)
    numbers = sorted({*np.unique(truth).tolist(), *np.unique(found).tolist()} - {0})
    return {n: _score(_boundary(truth == n), _boundary(found == n), tolerance) for n in numbers}


def _filled(labels: Labels, ignored: int) -> Labels:
    unknown = labels == ignored
    if not unknown.any():
        return labels
    # OpenCV can find the nearest pixel too, but only approximately.
    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    pixels = mask.astype(np.uint8)
    inner = cv2.erode(pixels, cross, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return mask & (inner == 0)


def _score(true: NDArray[np.bool_], found: NDArray[np.bool_], tolerance: float) -> float:
    if not true.any() or not found.any():
        return float(true.any() == found.any())
    precision = _near(true, tolerance)[found].mean()
    recall = _near(found, tolerance)[true].mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _near(boundary: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    away = (~boundary).astype(np.uint8)
    return cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= tolerance
