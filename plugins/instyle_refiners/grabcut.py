"""The refiner ``grabcut``: a graph cut that starts from the mask."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core import Mask, Refiner
from instyle_refiners.params import GrabCutParams

#: The most pixels that a cut is made on; its time grows faster than their number.
_MOST = 250_000

#: How much background around the object is looked at, as a fraction of its box's longer side.
_CONTEXT = 0.25

#: The fewest pixels from which the colors of either side can be learned.
_FEWEST = 5


class GrabCutRefiner(Refiner):
    """Keeps the pixels that the segmenter is sure of, and cuts again between them.

    Mixtures of Gaussians are fitted to the colors of object and background, and the cut is found
    that is cheapest by them and by the edges that it follows.

    Source: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004, as OpenCV has it.
    """

    def __init__(self, params: GrabCutParams) -> None:
        self._params = params

    def refine(self, image: Tensor, mask: Mask) -> Mask:
        """Cut; where there is nothing to cut, or nothing is left, the mask stays the same."""
        probability = mask.probability[0].cpu().numpy()
        x0, y0, x1, y1 = _window(probability > 1 - self._params.sure)
        pixels = (image[:, y0:y1, x0:x1] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        found = self._grabcut(pixels, probability[y0:y1, x0:x1])
        if found is None:
            return mask
        refined = probability.copy()
        refined[y0:y1, x0:x1] = found
        tensor = torch.from_numpy(refined)[None].to(mask.probability.device)
        decision = (tensor > 0.5).float()
        return Mask(tensor, decision) if decision.any() else mask

    def _grabcut(
        self, pixels: NDArray[np.uint8], probability: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        height, width = probability.shape
        factor = min(1.0, math.sqrt(_MOST / (height * width)))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(probability, size, interpolation=cv2.INTER_AREA)
        labels = np.where(small > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[small >= self._params.sure] = cv2.GC_FGD
        labels[small <= 1 - self._params.sure] = cv2.GC_BGD
        inside = int(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).sum())
        if min(inside, labels.size - inside) < _FEWEST:
            return None
        models = np.zeros((1, 65)), np.zeros((1, 65))
        # The mixtures start from k-means, which draws from OpenCV's random numbers.
        cv2.setRNGSeed(0)
        cv2.grabCut(
            np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)),
            labels,
            None,
            *models,
            self._params.iterations,
            cv2.GC_INIT_WITH_MASK,
        )
        cut = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        soft = cv2.GaussianBlur(cut, (0, 0), 1.0)
        soft = np.where(cut > 0, np.maximum(soft, 0.51), np.minimum(soft, 0.49))
        return cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1)


def _window(possible: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) of what may be the object, with context."""
    height, width = possible.shape
    rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
    if not len(rows):
        return 0, 0, width, height
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    extra = math.ceil(_CONTEXT * max(x1 - x0, y1 - y0))
    return (
        max(0, int(x0) - extra),
        max(0, int(y0) - extra),
        min(width, int(x1) + extra),
        min(height, int(y1) + extra),
    )
