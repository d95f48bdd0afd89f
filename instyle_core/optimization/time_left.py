"""How long a run still takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median_low

from instyle_core.optimization.schedule import Level

#: What a step costs whatever its size, in pixels that would take as long: two processor cores
#: compute a step at 64 x 64 in the time that 64 x 64 and so many pixels take at larger sizes.
OVERHEAD = 15_000


#: What the targets of a size cost, in steps at that size.
PREPARATION = 1.0


#: Steps that the speed is measured over.
RECENT = 10


class TimeLeft:
    """Tells the seconds that are left of the optimization of all objects of a run.

    A step is taken to cost so many seconds a pixel, and some whatever its size: in the proportion
    of the last two sizes, once there are two.

    Args:
        objects: the levels of each, in the order in which they are painted.
    """

    def __init__(self, objects: Sequence[Sequence[Level]]) -> None:
        self._objects = objects
        self._seen: dict[int, list[float]] = {}
        self._entered = True
        self._last = time.monotonic()

    def start(self) -> None:
        """Call when the optimization of an object begins or goes on."""
        self._entered = True
        self._last = time.monotonic()

    def tick(self, index: int, step: int) -> float | None:
        """Call after a step; returns the seconds left, or None until a step tells of others.

        One that prepares a size does not: the first of all can take fifty times as long as others.

        Args:
            index: of the object.
            step: of its optimization, counted from 1 over all sizes.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        ((size, steps),) = _cost(self._objects[index], step - 1, step)
        # Where it goes on within a size, that is prepared anew.
        if steps == 1 and not self._entered:
            seen = self._seen.pop(size, [])
            self._seen[size] = [*seen[1 - RECENT :], seconds]  # the last one is the latest
        self._entered = False
        ahead = _cost(self._objects[index], step)
        for later in self._objects[index + 1 :]:
            ahead += _cost(later, 0)
        if not ahead:
            return 0.0
        if not self._seen:
            return None
        latest, fixed, each = self._rates()
        return sum(steps * (fixed + each * size / latest) for size, steps in ahead)

    def _rates(self) -> tuple[int, float, float]:
        """The latest size in pixels, and what a step costs at it: in any case, and for its pixels.

        Of two numbers, the median is the lower: the first steps of all are slow.
        """
        *before, latest = self._seen
        seconds = median_low(self._seen[latest])
        fixed = seconds * OVERHEAD / (latest + OVERHEAD)
        if before:
            other = before[-1]
            slope = (seconds - median_low(self._seen[other])) / (latest - other)
            fixed = min(max(seconds - slope * latest, 0.0), seconds)
        return latest, fixed, seconds - fixed


def _cost(levels: Sequence[Level], start: int, end: int | None = None) -> list[tuple[int, float]]:
    """What the steps after a step cost, up to another: pixels, and steps with the preparation."""
    cost, begins = [], 0
    for level in levels:
        ends = begins + level.steps
        done = min(ends, ends if end is None else end) - max(begins, start)
        if done > 0:
            prepares = PREPARATION if start <= begins else 0.0
            cost.append((level.size[0] * level.size[1], done + prepares))
        begins = ends
    return cost
