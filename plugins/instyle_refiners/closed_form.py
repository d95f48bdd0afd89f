"""Closed-form matting: the opacity of each pixel, from a photo and a trimap."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags, eye_array
from scipy.sparse.linalg import cg

#: In a trimap, what is not known; 0 is background and 1 is object.
UNKNOWN = 0.5

#: The most unknown pixels that are solved for. Solved on a larger picture, the alpha of strands is
#: no better: windows of 3 pixels do not reach across the gaps between them.
MOST = 40_000

#: With fewer unknown pixels, no smaller picture is solved first.
_FEWEST = 4_000

#: The ridge of the windows' covariances, of colors in [0, 1], as in the authors' code.
_RIDGE = 1e-7

#: The ridge where a smaller picture's alpha is carried over to a larger one.
_RIDGE_UP = 1e-4

#: The weight of the prior.
_PULL = 1e-3

#: The residual to stop at, as a fraction of the right side, and the most steps.
_RESIDUAL, _STEPS = 1e-4, 500

#: Steps (dy, dx) to the pixels of a window.
_WINDOW = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def closed_form(
    image: NDArray[np.float32],
    trimap: NDArray[np.float32],
    prior: NDArray[np.float32] | None = None,
    most: int = MOST,
) -> NDArray[np.float32]:
    """The alpha of least energy that keeps what is known, coarse to fine.

    In each window of 3 x 3 pixels, alpha is taken for a linear function of the colors, which it is
    where the colors of object and background each lie on a line. The energy is the squared distance
    from that, ``alpha^T L alpha`` with the matting Laplacian L (equation 12); conjugate gradients
    find its minimum, starting from that of the picture at half its size. Pictures with more than
    `most` unknown pixels are not solved: the linear functions of the smaller picture are applied
    to their colors (section 4.1, "coarse-to-fine"), so that time and memory are bounded.

    Args:
        image: (H, W, 3), in [0, 1].
        trimap: (H, W), 0, 1 or `UNKNOWN`.
        prior: (H, W), in [0, 1]: what alpha tends to where the colors do not tell; if given,
            ``1e-3 |alpha - prior|^2`` is added to the energy.
        most: the most unknown pixels that are solved for.

    Returns:
        (H, W), in [0, 1].

    Source: Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI
    2008.
    """
    unknown = trimap == UNKNOWN
    count = int(unknown.sum())
    start = trimap
    if count > _FEWEST and min(trimap.shape) > 3:
        half = (trimap.shape[1] + 1) // 2, (trimap.shape[0] + 1) // 2
        small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        tends = None if prior is None else cv2.resize(prior, half, interpolation=cv2.INTER_AREA)
        coarse = closed_form(small, shrunk(trimap, half), tends, most)
        start = np.where(unknown, _carried_over(small, coarse, image), trimap)
    if not count or count > most or min(trimap.shape) < 3:
        return start
    matrix, right = _system(image, trimap, unknown)
    if prior is not None:
        matrix = matrix + _PULL * eye_array(count, format="csr")
        right = right + _PULL * prior[unknown]
    scale = np.maximum(matrix.diagonal(), _RIDGE)
    solved, _ = cg(
        matrix,
        right,
        x0=start[unknown].astype(np.float64),
        rtol=_RESIDUAL,
        maxiter=_STEPS,
        M=diags(1 / scale),
    )
    alpha = start.copy()
    alpha[unknown] = solved.clip(0, 1)
    return alpha


def shrunk(trimap: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A trimap at a smaller size (width, height): known where all that is averaged is known."""
    mean = cv2.resize(trimap, size, interpolation=cv2.INTER_AREA)
    return np.where(mean > 0.999, 1, np.where(mean < 0.001, 0, UNKNOWN)).astype(np.float32)


def _system(
    image: NDArray[np.float32], trimap: NDArray[np.float32], unknown: NDArray[np.bool_]
) -> tuple[csr_array, NDArray[np.float64]]:
    """The equations ``L_uu alpha_u = - L_uk alpha_k`` of the unknown pixels u; k are known."""
    width = unknown.shape[1]
    steps = np.array([dy * width + dx for dy in range(-2, 3) for dx in range(-2, 3)])
    pixels = np.flatnonzero(unknown)
    node = np.full(unknown.size, -1, np.int32)
    node[pixels] = np.arange(len(pixels), dtype=np.int32)
    rows = _rows(image, unknown, node)
    # Where a row has no entry, the neighbor may lie outside of the picture.
    neighbors = (pixels[:, None] + steps).clip(0, unknown.size - 1)
    nodes = np.where(rows != 0, node[neighbors], -1)
    known = np.where(nodes < 0, trimap.ravel()[neighbors], 0)
    free = nodes >= 0
    starts = np.concatenate([[0], free.sum(axis=1).cumsum()]).astype(np.int32)
    matrix = csr_array((rows[free], nodes[free], starts), (len(pixels),) * 2)
    return matrix, -(rows * known).sum(axis=1)


def _rows(
    image: NDArray[np.float32], unknown: NDArray[np.bool_], node: NDArray[np.int32]
) -> NDArray[np.float64]:
    """The rows of the matting Laplacian for unknown pixels: (N, 25), by the step to the other."""
    width = unknown.shape[1]
    touched = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    touched[[0, -1]] = touched[:, [0, -1]] = False  # windows lie within the picture
    centers = np.flatnonzero(touched)
    places = np.stack([centers + dy * width + dx for dy, dx in _WINDOW])
    colors = image.reshape(-1, 3)[places].astype(np.float64)
    colors -= colors.mean(axis=0)
    covariance = np.einsum("nkc,nkd->kcd", colors, colors) / 9 + _RIDGE / 9 * np.eye(3)
    whitened = np.einsum("nkc,kcd->nkd", colors, np.linalg.inv(covariance))
    rows = np.zeros((int(unknown.sum()), 25))
    for i, (yi, xi) in enumerate(_WINDOW):
        inside = node[places[i]] >= 0
        row = node[places[i]][inside]  # each at most once, so that += adds all
        for j, (yj, xj) in enumerate(_WINDOW):
            fit = (1 + np.einsum("kc,kc->k", whitened[i][inside], colors[j][inside])) / 9
            rows[row, (yj - yi + 2) * 5 + (xj - xi + 2)] += (i == j) - fit
    return rows


def _carried_over(
    small: NDArray[np.float32], alpha: NDArray[np.float32], image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Alpha of a larger picture, by each window's linear function ``a . color + b``."""
    means, mean = _mean(small), _mean(alpha)
    products = np.stack([_mean(small * small[..., [c]]) for c in range(3)], axis=-1)
    covariance = products - means[..., None] * means[..., None, :] + _RIDGE_UP * np.eye(3)
    shared = _mean(small * alpha[..., None]) - means * mean[..., None]
    slope = np.linalg.solve(covariance, shared[..., None])[..., 0].astype(np.float32)
    offset = _mean(mean - (slope * means).sum(axis=-1))
    slope = _mean(slope)
    size = image.shape[1], image.shape[0]
    result = cv2.resize(offset, size, interpolation=cv2.INTER_LINEAR)
    for channel in range(3):  # one at a time, since the picture may be large
        enlarged = cv2.resize(slope[..., channel], size, interpolation=cv2.INTER_LINEAR)
        result += enlarged * image[..., channel]
    return result.clip(0, 1)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.blur(values, (3, 3))
