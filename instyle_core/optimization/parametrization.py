"""What an optimizer moves: each pixel by itself, or the levels of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.optimizer import Parametrization
from instyle_core.interfaces.pictures import Size

#: The coarsest level of a pyramid has a long side of at least this, in pixels, and less than twice
#: as much.
COARSEST_LEVEL = 4


def level_sizes(size: Size, parametrization: Parametrization) -> list[Size]:
    """The sizes of the levels, from fine to coarse; ``pixels`` has the finest alone."""
    sizes = [size]
    while parametrization == "pyramid" and max(sizes[-1]) >= 2 * COARSEST_LEVEL:
        height, width = sizes[-1]
        sizes.append((max(1, height // 2), max(1, width // 2)))
    return sizes


def zero_levels(picture: Tensor, parametrization: Parametrization) -> list[Tensor]:
    """Levels (3, h, w) that add up to no change of a picture (3, H, W)."""
    sizes = level_sizes((picture.shape[1], picture.shape[2]), parametrization)
    return [picture.new_zeros(3, *size) for size in sizes]


def assemble(levels: Sequence[Tensor]) -> Tensor:
    """The sum of all levels, each enlarged bilinearly: (3, H, W).

    ``x_k = c_k + up(x_(k+1))`` from the coarsest level to the finest, x_0. A step of the same
    length in each coefficient changes large areas as quickly as single pixels, at any size.

    Source: Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code".

    Args:
        levels: c_k, (3, h_k, w_k), from fine to coarse.
    """
    *finer, total = levels
    for level in reversed(finer):
        size = (level.shape[1], level.shape[2])
        total = level + F.interpolate(total[None], size, mode="bilinear", align_corners=False)[0]
    return total
