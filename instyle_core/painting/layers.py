"""What a soft edge is mixed of: the object's own color, and what is behind it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.images.resize import resample
from instyle_core.interfaces.pictures import TRACE_OF_ALPHA, Size

#: The most pixels of the picture that colors are estimated on: both layers are smooth.
_MOST = 500_000

#: Levels of at most so many pixels on a side are cheap, and get more iterations.
_SMALL, _MANY, _FEW = 32, 10, 2

#: How strongly a color is that of its neighbors, where alpha is the same.
_SMOOTHNESS = 1e-5


def layers_of(photo: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """The photo without what is behind the object, and the photo without the object.

    Where an object's edge is soft, a pixel's color is a mixture, ``C = alpha F + (1 - alpha) B``.
    F and B are estimated coarse to fine: at each level, by a few iterations that fit the mixture
    and keep each layer smooth, the more so where alpha changes (equation 4). On a large picture the
    last levels are left out. Then ``F + alpha r / n`` and ``B + (1 - alpha) r / n``, with
    ``r = C - alpha F - (1 - alpha) B`` and ``n = alpha^2 + (1 - alpha)^2``, are the nearest colors
    of which C is mixed exactly.

    Args:
        photo: C, float32 (3, H, W), in [0, 1].
        alpha: (1, H, W), in [0, 1].

    Returns:
        Two pictures (3, H, W), in [0, 1]. One has F, the other has B where the edge is soft; in
        all other pixels, both are copies of the photo.

    Source: Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation", 2020,
    arXiv:2006.14970.
    """
    soft = (alpha > TRACE_OF_ALPHA) & (alpha < 1)
    if not soft.any():
        return photo, photo
    front, back = (
        resample(layer, (photo.shape[1], photo.shape[2]), "bilinear")
        for layer in _estimate(photo, alpha)
    )
    rest = photo - alpha * front - (1 - alpha) * back
    rest /= alpha.square() + (1 - alpha).square()
    front = (front + alpha * rest).clamp(0, 1)
    back = (back + (1 - alpha) * rest).clamp(0, 1)
    return torch.where(soft, front, photo), torch.where(soft, back, photo)


def _estimate(photo: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """F and B, (3, h, w), of the photo or of a smaller version of it."""
    front = _mean_where(photo, alpha > 0.9)
    back = _mean_where(photo, alpha < 0.1)
    for size in _sizes((photo.shape[1], photo.shape[2])):
        front, back, color, share = (
            F.interpolate(layer[None], size, mode="nearest")[0]
            for layer in (front, back, photo, alpha)
        )
        # The pull of each neighbor.
        pulls = [_SMOOTHNESS + (share - other).abs() for other in _neighbors(share)]
        pull = sum(pulls[1:], pulls[0])
        own, others = share.square() + pull, (1 - share).square() + pull
        both = share * (1 - share)
        determinant = own * others - both.square()
        for _ in range(_MANY if max(size) <= _SMALL else _FEW):
            right, left = share * color, (1 - share) * color
            for weight, one, other in zip(pulls, _neighbors(front), _neighbors(back), strict=True):
                right += weight * one
                left += weight * other
            front = ((others * right - both * left) / determinant).clamp(0, 1)
            back = ((own * left - both * right) / determinant).clamp(0, 1)
    return front, back


def _sizes(size: Size) -> list[Size]:
    """From a pixel to the size, or to about half a million pixels; sides grow by up to 2."""
    count = max(1, math.ceil(math.log2(max(size))))
    shares = [level / count for level in range(count + 1)]
    sizes = [(round(size[0] ** share), round(size[1] ** share)) for share in shares]
    return [level for level in sizes if level[0] * level[1] <= _MOST]


def _mean_where(photo: Tensor, where: Tensor) -> Tensor:
    """(3, 1, 1): the mean color of some pixels; of all of them, if there are none."""
    pixels = photo[:, where[0]] if where.any() else photo.flatten(1)
    return pixels.mean(dim=1)[:, None, None]


def _neighbors(layer: Tensor) -> list[Tensor]:
    """The left, right, upper and lower neighbor of each pixel; beyond the border, itself."""
    padded = F.pad(layer[None], (1, 1, 1, 1), mode="replicate")[0]
    return [
        padded[:, 1:-1, :-2],
        padded[:, 1:-1, 2:],
        padded[:, :-2, 1:-1],
        padded[:, 2:, 1:-1],
    ]
