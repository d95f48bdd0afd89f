"""How long a run still takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from instyle_core.interfaces import Size
from instyle_core.schedule import Leg

#: What a step costs whatever its size, in pixels that would take as long: two processor cores
#: compute a step at 64 x 64 in the time that 64 x 64 and so many pixels take at larger sizes.
OVERHEAD = 5000

#: What the targets of a size cost, in steps at that size.
PREPARATION = 1.0

#: Steps that the speed is measured over.
RECENT = 10


class Clock:
    """Tells the seconds that are left of the optimisation of all objects of a run.

    A step is taken to cost as many seconds a pixel at every size, but for the `OVERHEAD`.

    Args:
        objects: the legs of each, in the order in which they are painted.
    """

    def __init__(self, objects: Sequence[Sequence[Leg]]) -> None:
        self._objects = objects
        self._speeds: list[float] = []
        self._last = time.monotonic()

    def start(self) -> None:
        """Call when the optimisation of an object begins or goes on."""
        self._last = time.monotonic()

    def tick(self, index: int, step: int) -> float:
        """Call after a step; returns the seconds left.

        Args:
            index: of the object.
            step: of its optimisation, counted from 1 over all sizes.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        cost = self._ahead(index, step - 1) - self._ahead(index, step)
        self._speeds = [*self._speeds[1 - RECENT :], seconds / cost]
        later = sum(self._ahead(other, 0) for other in range(index + 1, len(self._objects)))
        return median(self._speeds) * (self._ahead(index, step) + later)

    def _ahead(self, index: int, step: int) -> float:
        """What is left of an object after a step."""
        cost, begins = 0.0, 0
        for leg in self._objects[index]:
            left = min(leg.steps, max(0, begins + leg.steps - step))
            prepares = PREPARATION if left and step <= begins else 0
            cost += (left + prepares) * _cost(leg.size)
            begins += leg.steps
        return cost


def _cost(size: Size) -> float:
    return size[0] * size[1] + OVERHEAD
