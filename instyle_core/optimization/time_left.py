"""An estimate of the time that a run still takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median_low

from instyle_core.optimization.schedule import Level

#: The fixed cost of a step, as the number of pixels that take as long: on two processor cores, a
#: step at 64x64 takes as long as 64 * 64 + 15,000 pixels do at larger sizes.
OVERHEAD = 15_000

#: The cost of preparing the targets of a size, in steps at that size.
PREPARATION = 1.0

#: The number of latest steps that the speed is measured over.
RECENT = 10


class TimeLeft:
    """Estimates how many seconds the optimization of all objects of a run still takes.

    A step is assumed to take a fixed time and a time for each pixel. Once steps of two sizes have
    been measured, both come from the last two sizes; until then, their ratio is `OVERHEAD`.

    Args:
        objects: the levels of each, in the order in which they are painted.
    """

    def __init__(self, objects: Sequence[Sequence[Level]]) -> None:
        self._objects = objects
        self._seconds: dict[int, list[float]] = {}  # of the latest steps, by size in pixels
        self._is_first_step = True
        self._last = time.monotonic()

    def start(self) -> None:
        """Call when the optimization of an object starts or resumes."""
        self._is_first_step = True
        self._last = time.monotonic()

    def tick(self, index: int, step: int) -> float | None:
        """Call after each step.

        Steps that prepare a size are not measured: the first can take fifty times as long as
        others.

        Args:
            index: of the object.
            step: of its optimization, counted from 1 over all sizes.

        Returns:
            The seconds left; None until a step has been measured.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        ((size, steps),) = _cost(self._objects[index], step - 1, step)
        # A run that resumes within a size prepares it again.
        if steps == 1 and not self._is_first_step:
            before = self._seconds.pop(size, [])  # inserted again, so that the latest size is last
            self._seconds[size] = [*before[1 - RECENT :], seconds]
        self._is_first_step = False
        ahead = _cost(self._objects[index], step)
        for later in self._objects[index + 1 :]:
            ahead += _cost(later, 0)
        if not ahead:
            return 0.0
        if not self._seconds:
            return None
        latest, fixed, by_pixels = self._rates()
        return sum(steps * (fixed + by_pixels * size / latest) for size, steps in ahead)

    def _rates(self) -> tuple[int, float, float]:
        """The latest size in pixels, and the seconds of a step at it: fixed, and for its pixels.

        The median of two is the lower one, as the very first steps are slow.
        """
        *before, latest = self._seconds
        seconds = median_low(self._seconds[latest])
        fixed = seconds * OVERHEAD / (latest + OVERHEAD)
        if before:
            other = before[-1]
            slope = (seconds - median_low(self._seconds[other])) / (latest - other)
            fixed = min(max(seconds - slope * latest, 0.0), seconds)
        return latest, fixed, seconds - fixed


def _cost(levels: Sequence[Level], start: int, end: int | None = None) -> list[tuple[int, float]]:
    """The cost of the steps from `start` + 1 to `end`, by default the last.

    Returns:
        For each size, its pixels and the number of steps, to which `PREPARATION` is added if they
        include the first step of the size.
    """
    cost, first = [], 0
    for level in levels:
        last = first + level.steps
        steps = min(last, last if end is None else end) - max(first, start)
        if steps > 0:
            preparation = PREPARATION if start <= first else 0.0
            cost.append((level.size[0] * level.size[1], steps + preparation))
        first = last
    return cost
