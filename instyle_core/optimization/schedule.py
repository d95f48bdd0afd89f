"""Coarse to fine: at which sizes an object is optimized, and for how many steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from instyle_core.interfaces.pictures import Size

#: Long side, in pixels, that coarse to fine starts near.
COARSEST = 160


#: How many times as large each size is as the one before.
FACTOR = math.sqrt(2)


#: Part of all steps that is done at the finest scale, where a step costs most.
FINEST_SHARE = 0.5


#: Part of all steps that is done at each scale between the coarsest and the finest. They are passed
#: through: what is left is done at the coarsest, where a step costs least.
PASSING_SHARE = 0.1


#: No side is made shorter: networks with five poolings need some pixels to look at.
SMALLEST_SIDE = 32


@dataclass(frozen=True)
class Level:
    """So many steps at one size."""

    size: Size
    steps: int


def schedule(size: Size, scales: int | Literal["auto"], steps: int) -> list[Level]:
    """All that is to be done for one object.

    Args:
        size: the finest.
        scales: how many there are to be; fewer where they would be the same.
        steps: in all.
    """
    sizes = scale_sizes(size, scales)
    return [Level(*pair) for pair in zip(sizes, scale_steps(steps, len(sizes)), strict=True)]


def scale_sizes(size: Size, scales: int | Literal["auto"]) -> list[Size]:
    """The sizes from coarse to fine, each `FACTOR` times the one before; the last one is `size`."""
    if scales == "auto":
        scales = 1 + max(0, round(math.log(max(size) / COARSEST, FACTOR)))
    sizes = [_scaled(size, FACTOR**-index) for index in reversed(range(max(1, scales)))]
    return list(dict.fromkeys(sizes))


def scale_steps(steps: int, scales: int) -> list[int]:
    """How many steps each scale gets; all of them sum to `steps`.

    Coarse steps are cheap and settle the composition; the finest scale only adds detail. Where
    there are so many scales that they would leave nothing, all but the finest are alike.
    """
    if scales == 1:
        return [steps]
    coarse = steps - math.ceil(steps * FINEST_SHARE)
    each = min(math.ceil(steps * PASSING_SHARE), coarse // (scales - 1))
    passing = [each] * (scales - 2)
    return [coarse - sum(passing), *passing, steps - coarse]


def pixels(levels: Sequence[Level]) -> int:
    """The pixels of all steps, which is what they cost but for what each step costs anyway."""
    return sum(level.steps * level.size[0] * level.size[1] for level in levels)


def _scaled(size: Size, factor: float) -> Size:
    if factor == 1:
        return size
    height, width = (max(SMALLEST_SIDE, round(side * factor)) for side in size)
    return height, width
