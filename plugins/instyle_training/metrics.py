"""The scores of a segmentation, from one confusion matrix."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from instyle_training.voc import IGNORED


@dataclass(frozen=True)
class Figures:
    """How well pixels were classified.

    n_ij is the number of pixels of class i that were taken for class j, and t_i = sum_j n_ij. A
    class that is neither there nor predicted has no IoU, and does not count in the means.

    Attributes:
        pixel_accuracy: sum_i n_ii / sum_i t_i.
        mean_accuracy: the mean of n_ii / t_i, over the classes that are there.
        mean_iou: the mean of n_ii / (t_i + sum_j n_ji - n_ii).
        weighted_iou: the mean of the same, weighted by t_i.
        iou: of each class, by name.
        accuracy: n_ii / t_i of each class, by name.

    Source: Zhao and Zhang, section on segmentation; Long et al. 2015, section 5.
    """

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    weighted_iou: float
    iou: dict[str, float]
    accuracy: dict[str, float]

    @classmethod
    def of(cls, confusion: NDArray[np.integer], classes: Sequence[str]) -> Figures:
        """Compute them.

        Args:
            confusion: n_ij, (K, K), true classes in rows.
            classes: the K names.
        """
        counts = confusion.astype(np.float64)
        right, truth, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        with np.errstate(invalid="ignore"):
            iou = right / (truth + found - right)
            accuracy = right / truth
            return cls(
                pixel_accuracy=float(right.sum() / truth.sum()),
                mean_accuracy=_mean(accuracy),
                mean_iou=_mean(iou),
                weighted_iou=float(np.nansum(truth * iou) / truth.sum()),
                iou=_named(classes, iou),
                accuracy=_named(classes, accuracy),
            )


def _mean(values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def _named(classes: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {
        name: float(value) for name, value in zip(classes, values, strict=True) if value == value
    }


def confusion_of(found: Tensor, truth: Tensor, count: int) -> np.ndarray:
    """The confusion matrix (K, K), true classes in rows; ignored pixels are left out.

    Args:
        found: class numbers (H, W).
        truth: the same, or `IGNORED`.
        count: K.
    """
    counts = multiclass_confusion_matrix(
        found.cpu().long(), truth.long(), count, ignore_index=IGNORED
    )
    return counts.numpy()
