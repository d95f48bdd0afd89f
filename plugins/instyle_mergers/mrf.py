"""A merger that lets the seam run where it shows least."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core import Mask, Merger
from instyle_mergers.feather import signed_distance, smoothstep
from instyle_mergers.graph_cut import minimum_cut
from instyle_mergers.params import MRFParams

#: How far the seam may move, in pixels: enough to have a choice, and few enough to be cut quickly.
_NEAREST, _FARTHEST = 3.0, 24.0

#: The highest probability that is taken from a segmenter: masks of 0 and 1 would leave no choice.
_SUREST = 0.95

#: Standard deviations, in pixels, of the Gaussians that smooth the photo, for its edges, and its
#: difference from the painting: a single hair or stroke does not attract the seam.
_EDGE, _MATCH = 1.0, 2.0

#: What a seam costs where photo and painting agree: there too, it should be short and on an edge.
_LEAST = 0.3

#: Steps (dy, dx) to the eight neighbors.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1))


class MRFMerger(Merger):
    """Labels each pixel of a band as photo (0) or painting (1) at the least energy, then blends.

    With the photo C, the painting S and the labels x,
    ``E(x) = - sum_p log P_p(x_p) + smoothness * sum_(p,q) V_pq [x_p != x_q]``, over the pixels p
    and the pairs (p,q) of 8 neighbors, of which at least one is free.

    - Pixels are free up to ``band`` times the object's size (the square root of its area) away from
      the boundary, at least 3 and at most 24 pixels, but only half-way to the middle of the object
      or of the background around it: a leg stays painted, and the gap between two legs stays
      photo. All others keep the mask's label.
    - ``log P(1)/P(0) = (log p / (1 - p) + d / s) / 2`` combines the segmenter's probability p (at
      most 0.95, at least 0.05) with the signed distance d to the boundary in pixels (as if the
      mask's error were logistic, with s half the band's reach). A mask of 0 and 1 does not tell how
      far off it may be; the distance keeps the seam from leaving the boundary without a reason.
    - ``V_pq = (|D_p| + |D_q| + 0.3) exp(-|B_p - B_q|² / 2σ²) / |p - q|``, with D the mean of
      ``S - C`` over the painted pixels in a Gaussian window of 2 pixels, and B the photo smoothed
      by one of 1 pixel: the seam runs where photo and painting agree (Kwatra et al. 2003, equation
      1, which is without a window) and along edges of the photo, where a change of color is
      expected (Boykov and Jolly 2001). Norms are Euclidean over RGB; σ² is the mean of
      ``|B_p - B_q|²`` over the band. Kwatra's division by the gradients is left out: a painting has
      gradients everywhere, and they drew the seam onto its strokes.

    One graph cut finds the minimum. Across the seam, the opacity is the smoothstep of `feather`,
    over the distance to the cut. The time grows with the number of pixels in the band: half a
    million for an object that is 3,000 pixels wide.

    If the mask has an alpha, the seam is not chosen: the edge is known, and the opacity is alpha.

    Sources: Kwatra et al., "Graphcut Textures", SIGGRAPH 2003; Boykov and Jolly, "Interactive Graph
    Cuts", ICCV 2001. Zhao and Zhang propose a Markov random field for the seam, without a formula.
    """

    def __init__(self, params: MRFParams) -> None:
        self._params = params

    def paints(self, mask: Mask) -> Tensor:
        if mask.alpha is not None:
            return mask.support
        return (signed_distance(mask.decision) > -self._reach(mask)).float()

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        if mask.alpha is not None:
            return torch.lerp(content, stylized, mask.alpha)
        merged = content.clone()
        rows, columns = self._window(mask)  # nothing changes outside of it
        content, stylized = content[:, rows, columns], stylized[:, rows, columns]
        mask = mask.each(lambda layer: layer[:, rows, columns])
        if mask.decision.any():
            opacity = smoothstep(
                signed_distance(self.labels(content, stylized, mask)), self._params.width
            )
            # Pixels that were not painted are the same in both, and lerp copies them exactly.
            merged[:, rows, columns] = torch.lerp(content, stylized, opacity)
        return merged

    def labels(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        """Which pixels are the painting's: float32 (1, H, W), 0 or 1. Arguments as for `merge`."""
        distance = signed_distance(mask.decision)[0].cpu().numpy()
        labels = distance > 0
        reach = self._reach(mask)
        free = _free(distance, reach)
        if free.any():
            first, second, length = _neighbors(free)
            photo = cv2.GaussianBlur(_pixels(content), (0, 0), _EDGE).reshape(-1, 3)
            step = photo[first] - photo[second]
            edge = np.einsum("pc,pc->p", step, step)
            differ = _differences(_pixels(stylized - content), distance > -reach).ravel()
            weights = differ[first] + differ[second] + _LEAST
            weights *= np.exp(-edge / max(2 * float(edge.mean()), 1e-12))
            weights *= self._params.smoothness / length
            odds = _log_odds(mask.probability[0].cpu().numpy()[free], distance[free], reach)
            labels[free] = _solve(free, labels, odds, first, second, weights.astype(np.float64))
        return torch.from_numpy(labels)[None].float().to(mask.decision.device)

    def _window(self, mask: Mask) -> tuple[slice, slice]:
        """Rows and columns of all that is painted, and of what smoothing needs around it."""
        inside = (mask.decision[0] > 0).cpu().numpy().astype(np.uint8)
        x, y, width, height = cv2.boundingRect(inside)
        extra = math.ceil(self._reach(mask) + 4 * max(_EDGE, _MATCH))
        return (
            slice(max(0, y - extra), y + height + extra),
            slice(max(0, x - extra), x + width + extra),
        )

    def _reach(self, mask: Mask) -> float:
        size = math.sqrt(float(mask.decision.sum()))
        return min(max(self._params.band * size, _NEAREST), _FARTHEST)


def _free(distance: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """The pixels (H, W) on either side whose label is to be chosen."""
    window = np.ones((2 * math.ceil(reach) + 1,) * 2, np.uint8)
    inside, outside = (
        depth < np.minimum(reach, cv2.dilate(depth, window) / 2) for depth in (distance, -distance)
    )
    return inside & outside


def _pixels(picture: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(picture.permute(1, 2, 0).cpu().numpy())


def _differences(change: NDArray[np.float32], painted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far the painting is from the photo around each pixel, (H, W)."""
    # Averaged over painted pixels only: elsewhere both are the photo, and their difference is 0.
    total, mass = (
        cv2.GaussianBlur(layer, (0, 0), _MATCH, borderType=cv2.BORDER_CONSTANT)
        for layer in (change, painted.astype(np.float32))
    )
    return np.sqrt(np.einsum("yxc,yxc->yx", total, total)) / np.maximum(mass, 1e-6)


def _neighbors(
    free: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Each free pixel with each of its neighbors, as flat indices, and how far they are apart."""
    height, width = free.shape
    y, x = np.nonzero(free)
    first, second, length = [], [], []
    for dy, dx in _STEPS:
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        flat = (y * width + x)[inside]
        first.append(flat)
        second.append(flat + dy * width + dx)
        length.append(np.full(len(flat), math.hypot(dy, dx), np.float32))
    return np.concatenate(first), np.concatenate(second), np.concatenate(length)


def _log_odds(
    probability: NDArray[np.float32], distance: NDArray[np.float32], reach: float
) -> NDArray[np.float64]:
    p = probability.clip(1 - _SUREST, _SUREST).astype(np.float64)
    return (np.log(p / (1 - p)) + distance / (reach / 2)) / 2


def _solve(
    free: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    odds: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """The best labels of the free pixels; the pairs are those of `_neighbors`."""
    count = len(odds)
    node = np.full(free.size, -1)
    node[free.ravel()] = np.arange(count)
    one, other = node[first], node[second]
    costs = np.stack([np.logaddexp(0, odds), np.logaddexp(0, -odds)])
    for label in (0, 1):  # pairs with a pixel that is not free have a known cost
        differs = (other < 0) & (labels.ravel()[second] != label)
        costs[label] += np.bincount(one[differs], weights[differs], count)
    once = (other >= 0) & (first < second)
    return minimum_cut(costs, np.stack([one[once], other[once]], axis=1), weights[once])
