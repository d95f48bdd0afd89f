"""How far an object's colors are from those of a style picture."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from kornia.color import rgb_to_lab
from torch import Tensor


def color_distance(content: Tensor, mask: Tensor, style: Tensor) -> float:
    """How far the object's colors have to move to become the style's.

    The 2-Wasserstein distance of two normal distributions in CIELAB with the means a, b and the
    covariances A, B of the pixels: ``W² = |a - b|² + tr(A + B - 2 (A^½ B A^½)^½)``. It is the root
    mean square distance, in Delta E (CIE 1976), over which colors move by the linear map that takes
    one distribution to the other with the least movement.

    Source: Olkin and Pukelsheim 1982, "The distance between two random vectors with given
    dispersion matrices", for the formula; Pitié and Kokaram 2007, "The linear Monge-Kantorovitch
    linear color mapping", for its use on colors.

    Args:
        content: the photo, (1, 3, H, W), RGB, in [0, 1].
        mask: the object's, (1, 1, H, W), in [0, 1].
        style: the style picture, (1, 3, h, w).

    Returns:
        At least 0; from black to white, it is 100. 0 without an object.
    """
    if not mask.any():
        return 0.0
    mean_a, cov_a = _statistics(content, mask)
    mean_b, cov_b = _statistics(style, torch.ones_like(style[:, :1]))
    root = _root(cov_a)
    spread = torch.trace(cov_a + cov_b - 2 * _root(root @ cov_b @ root))
    return float(((mean_a - mean_b).square().sum() + spread).clamp(min=0).sqrt())


def _statistics(picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (3,) and the covariance (3, 3) of the colors in CIELAB, float64."""
    colors = rgb_to_lab(picture.double()).flatten(2)[0]
    weights = mask.double().flatten() / mask.double().sum()
    mean = colors @ weights
    centered = colors - mean[:, None]
    return mean, (centered * weights) @ centered.T


def _root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a symmetric matrix without negative eigenvalues."""
    values, axes = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (axes * values.clamp(min=0).sqrt()) @ axes.T
