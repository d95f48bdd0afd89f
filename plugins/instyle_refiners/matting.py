"""The refiner ``matting``: the opacity of hair, fur and blurred edges."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core import Mask, Refiner
from instyle_refiners.closed_form import UNKNOWN, closed_form, shrunk
from instyle_refiners.params import MattingParams

#: The most pixels that the trimap is made on.
_MOST = 250_000

#: The least reach of the unknown band, in pixels of the picture that the trimap is made on.
_NEAREST = 3.0

#: Alpha of less than this is taken for 0, and likewise below 1: a trace of paint that covers the
#: whole band would show.
_TRACE = 0.02


class MattingRefiner(Refiner):
    """Finds each pixel's opacity: how much of its color is the object's.

    Near the object's boundary and wherever the segmenter is unsure, the opacity alpha is not known;
    closed-form matting continues it from what is known, by the colors of the photo. Where these do
    not tell, it tends to the segmenter's probability. It is stretched such that up to 0.02 is 0 and
    from 0.98 on is 1. The mask's probability and alpha are it, and pixels of at least one half are
    the object's.

    The unknown band reaches `band` times the object's size (the square root of its area) to either
    side of the boundary, but only half-way to the middle of the object or of the background around
    it, so that something is known of a thin leg too.

    Source: Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI
    2008.
    """

    def __init__(self, params: MattingParams) -> None:
        self._params = params

    def refine(self, image: Tensor, mask: Mask) -> Mask:
        """Find the opacity; where nothing is known of a side, or left, the mask stays as it is."""
        probability = mask.probability[0].cpu().numpy()
        trimap = self._trimap(probability, mask.decision[0].cpu().numpy())
        known = (trimap == 0).any() and (trimap == 1).any()
        rows, columns = _window(trimap == UNKNOWN)
        if not known or rows.start == rows.stop:
            return mask
        pixels = image[:, rows, columns].permute(1, 2, 0).float().cpu().numpy()
        alpha = trimap
        alpha[rows, columns] = closed_form(
            np.ascontiguousarray(pixels), trimap[rows, columns], probability[rows, columns]
        )
        alpha = ((alpha - _TRACE) / (1 - 2 * _TRACE)).clip(0, 1)
        tensor = torch.from_numpy(alpha)[None].to(mask.probability)
        decision = (tensor >= 0.5).to(mask.decision)
        return Mask(tensor, decision, alpha=tensor) if decision.any() else mask

    def _trimap(
        self, probability: NDArray[np.float32], decision: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(H, W): 0, 1 or `UNKNOWN`."""
        height, width = probability.shape
        factor = min(1.0, math.sqrt(_MOST / (height * width)))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small, share = (
            cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
            for layer in (probability, decision)
        )
        inside = (share >= 0.5).astype(np.uint8)
        reach = max(_NEAREST, self._params.band * math.sqrt(float(inside.sum())))
        unknown = np.abs(small - 0.5) < self._params.sure - 0.5
        unknown |= _near(inside, reach) & _near(1 - inside, reach)
        trimap = np.where(unknown, UNKNOWN, inside).astype(np.float32)
        if factor == 1:
            return trimap
        larger = cv2.resize(trimap, (width, height), interpolation=cv2.INTER_LINEAR)
        return shrunk(larger, (width, height))


def _near(side: NDArray[np.uint8], reach: float) -> NDArray[np.bool_]:
    """Where the other side is near: within reach, and less than half as far as the middle is."""
    depth = cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    window = np.ones((2 * math.ceil(reach) + 1,) * 2, np.uint8)
    return depth < np.minimum(reach, cv2.dilate(depth, window) / 2)


def _window(unknown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of what is unknown, and of the pixels that share windows with it."""
    height, width = unknown.shape
    x, y, across, down = cv2.boundingRect(unknown.astype(np.uint8))
    if not across:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, y - 2), min(height, y + down + 2)),
        slice(max(0, x - 2), min(width, x + across + 2)),
    )
