"""Coarse to fine: at which sizes an object is optimized, and for how many steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from instyle_core.interfaces.pictures import Size

#: Long side, in pixels, that the coarsest size is as near to as the factor allows.
COARSEST = 64

#: Ratio of the sides of each size to those of the size before.
FACTOR = math.sqrt(2)

#: Share of all steps that is taken at the finest scale, where a step costs most.
FINEST_SHARE = 0.5

#: Share of all steps that is taken at each scale between the coarsest and the finest. The rest is
#: taken at the coarsest, where a step costs least.
MIDDLE_SHARE = 0.1

#: No side is made shorter, in pixels: networks with five pooling layers need that many.
SMALLEST_SIDE = 32

#: Long side, in pixels, that a narrow picture is enlarged to at most for the sake of its short one:
#: it has no more pixels then than a square of 512.
LARGEST_NARROW = 8192


@dataclass(frozen=True)
class Level:
    """The number of steps at one size."""

    size: Size
    steps: int


def schedule(size: Size, scales: int | Literal["auto"], steps: int) -> list[Level]:
    """The sizes and steps of one object, from coarse to fine.

    Args:
        size: the finest.
        scales: the number of sizes; there are fewer if some would be the same.
        steps: their total.
    """
    sizes = scale_sizes(size, scales)
    return [Level(*pair) for pair in zip(sizes, scale_steps(steps, len(sizes)), strict=True)]


def scale_sizes(size: Size, scales: int | Literal["auto"]) -> list[Size]:
    """The sizes from coarse to fine, each `FACTOR` times the one before; the last one is `size`."""
    if scales == "auto":
        scales = 1 + max(0, round(math.log(max(size) / COARSEST, FACTOR)))
    coarser = [scaled(size, FACTOR**-index) for index in reversed(range(1, max(1, scales)))]
    return list(dict.fromkeys([*coarser, size]))


def scale_steps(steps: int, scales: int) -> list[int]:
    """How many steps each scale gets, from coarse to fine; they sum to `steps`.

    Coarse steps are cheap and settle the composition; the finest scale only adds detail. With so
    many scales that the coarsest would get fewer steps than the middle ones, all but the finest
    share alike.
    """
    if scales == 1:
        return [steps]
    coarse = steps - math.ceil(steps * FINEST_SHARE)
    each = min(math.ceil(steps * MIDDLE_SHARE), coarse // (scales - 1))
    middle = [each] * (scales - 2)
    return [coarse - sum(middle), *middle, steps - coarse]


def scaled(size: Size, factor: float) -> Size:
    """A size times a factor, but a larger factor where a side would be shorter than the shortest.

    Proportions are kept, to a pixel, up to a long side of `LARGEST_NARROW`.
    """
    factor = max(factor, min(SMALLEST_SIDE / min(size), LARGEST_NARROW / max(size)))
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in size)
    return height, width
