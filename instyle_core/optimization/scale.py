"""The optimization at one scale: the optimizer's steps, the best so far, the alarm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.device import is_out_of_memory
from instyle_core.errors import InstyleError
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.cuda_graph import WARM_UP, capture
from instyle_core.optimization.optimizers import Momentum, solver

#: How far the objective may rise above all of its first values before the run counts as diverged.
EXPLOSION = 1e3


#: Over so many steps the objective has to fall, where a spec has a tolerance.
PATIENCE = 20


#: What may go wrong with a step that can be done in another way.
StepFailure = Literal["memory", "overflow"]


def never(failure: StepFailure) -> bool:
    """There is no other way."""
    del failure
    return False


def out_of_memory(size: Size) -> InstyleError:
    """The error about a picture that is too large for any way to compute it."""
    what = f"there is not enough memory for {size[1]}x{size[0]} pixels"
    return InstyleError(what, hint="choose a smaller `size`, or `device: cpu`")


class Scale(Protocol):
    """The problem at one size."""

    size: Size

    def enter(self, picture: Tensor) -> Tensor:
        """Bring the result of the scale before to this size: the pixels to optimize, (3, H, W)."""
        ...

    def terms(self, pixels: Tensor) -> Mapping[str, Tensor]:
        """The weighted terms of the objective, by name; pixels are in [0, 1]."""
        ...

    def compose(self, pixels: Tensor) -> Tensor:
        """The picture that the pixels make, (3, H, W), in [0, 1]; a tensor of its own."""
        ...


@dataclass(frozen=True)
class ScaleState:
    """Where the optimization at one scale stands, between two steps.

    Attributes:
        pixels: what is optimized, (3, H, W).
        solver: the state of what takes the steps.
        bests: the objective of the best picture so far, after each step.
        firsts: the first values of each term, which an explosion is measured by.
        random: where random numbers stood when the scale was entered: targets may draw some.
    """

    pixels: Tensor
    solver: dict[str, Any]
    bests: list[float]
    firsts: list[dict[str, float]]
    random: list[Tensor]


@dataclass(frozen=True)
class Space:
    """What pixels are measured in: ``(picture - mean) / std`` by channel, clamped to the limits."""

    mean: Tensor
    std: Tensor
    limits: tuple[float, float]

    @classmethod
    def of(cls, settings: Adam | LBFGS, device: torch.device) -> Space:
        mean, std, limits = _SPACES[settings.space]
        shift, unit = (torch.tensor(v, device=device)[:, None, None] for v in (mean, std))
        return cls(shift, unit, limits)

    def pixels(self, picture: Tensor) -> Tensor:
        return (picture - self.mean) / self.std

    def picture(self, pixels: Tensor) -> Tensor:
        return pixels * self.std + self.mean


_SPACES = {
    "rgb": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (-1.5, 1.5)),
}


class Diverged(Exception):
    """A loss or its gradient is no number, or explodes; the message says which."""


class ScaleRun:
    """The optimization at one scale: takes steps, keeps the best picture, sounds the alarm.

    Attributes:
        size: of the scale.
        values: the weighted terms at the last step.
        best: the best picture so far, (3, H, W); that of the scale before until this one has any.
    """

    def __init__(
        self,
        scale: Scale,
        start: Tensor,
        best: Tensor | None,
        settings: Adam | LBFGS,
        momentum: Momentum | None = None,
        fall_back: Callable[[StepFailure], bool] = never,
    ) -> None:
        self.size = scale.size
        self.values: dict[str, float] = {}
        self.best = best
        self._scale = scale
        entered = scale.enter(start if best is None else best)
        self._space = Space.of(settings, entered.device)
        self._pixels = self._space.pixels(entered).requires_grad_()
        self._solver = solver(self._pixels, settings, momentum)
        self._bests: list[float] = []
        self._firsts: list[dict[str, float]] = []
        self._fresh = True
        self._relieve = fall_back
        self._names: list[str] = []
        self._replay: Callable[[], Tensor] | None = None
        self._until_capture = WARM_UP if entered.device.type == "cuda" else -1

    def momentum(self) -> Momentum | None:
        """What the next scale can begin with."""
        return self._solver.momentum()

    def state(self, random: list[Tensor]) -> ScaleState:
        """Where it stands, until the next step is taken.

        Args:
            random: where random numbers stood when the scale was entered.
        """
        pixels = self._pixels.detach()
        return ScaleState(pixels, self._solver.state(), self._bests, self._firsts, random)

    def go_on_from(self, state: ScaleState) -> None:
        """Stand where an earlier run at this scale stood; the state itself stays as it is."""
        with torch.no_grad():
            self._pixels.copy_(state.pixels)
        self._solver.go_on_from(state.solver)
        self._bests = [*state.bests]
        self._firsts = [*state.firsts]

    def is_flat(self, tolerance: float) -> bool:
        """Whether the objective has fallen by less than this part of itself of late."""
        if not tolerance or len(self._bests) <= PATIENCE:
            return False
        before, now = self._bests[-1 - PATIENCE], self._bests[-1]
        return before - now < tolerance * before

    def current(self) -> Tensor:
        """The picture as it stands, (3, H, W)."""
        return self._scale.compose(self._space.picture(self._pixels.detach()))

    def step(self, learning_rate: float) -> None:
        self._fresh = True
        self._solver.step(self._evaluate, learning_rate)
        with torch.no_grad():
            self._pixels.clamp_(*self._space.limits)

    def _evaluate(self) -> Tensor:
        """The objective, with its gradient in the pixels."""
        values, slope = self._computed()
        while not math.isfinite(slope) and self._can_fall_back("overflow"):
            values, slope = self._computed()
        self._check(values, slope)
        if self._fresh:  # a line search evaluates more often than once a step
            self._fresh = False
            self._record(values)
        return torch.tensor(sum(values.values()))  # which optimizers read, if at all, as a number

    def _computed(self) -> tuple[dict[str, float], float]:
        """The terms, and the sum of their gradient's magnitudes: a number if all of it is."""
        while True:
            try:
                # The one transfer from the device.
                *numbers, slope = self._compute().tolist()
                return dict(zip(self._names, numbers, strict=True)), slope
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Out here, nothing holds what the failed attempt has allocated.
            if not self._can_fall_back("memory"):
                raise out_of_memory(self.size)

    def _can_fall_back(self, failure: StepFailure) -> bool:
        """Whether it is computed in another way from now on; a recording would be of the old."""
        fell_back = self._relieve(failure)
        if fell_back and (self._replay or self._until_capture >= 0):
            self._replay, self._until_capture = None, WARM_UP
        return fell_back

    def _compute(self) -> Tensor:
        """What `_computed` reports, still on the device; on a GPU recorded, once it is warm."""
        if self._replay is None and self._until_capture == 0:
            self._replay = capture(self._backward)
        self._until_capture -= 1
        return self._replay() if self._replay else self._backward()

    def _backward(self) -> Tensor:
        self._pixels.grad = None
        terms = self._scale.terms(self._space.picture(self._pixels))
        total = torch.stack(list(terms.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        self._names = list(terms)
        # Magnitudes: a plain sum is nearly zero, and differs from one time to the next on a GPU.
        slope = self._pixels.grad
        slope = total.detach() if slope is None else torch.linalg.vector_norm(slope, 1)
        return torch.stack([*(term.detach() for term in terms.values()), slope.to(total.dtype)])

    def _check(self, values: Mapping[str, float], slope: float) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(f"the loss '{name}' became {value}")
        if not math.isfinite(slope):
            raise Diverged(f"the gradient of the loss '{self._culprit(values)}' is no number")

    def _record(self, values: dict[str, float]) -> None:
        self.values = values
        total = sum(values.values())
        if len(self._firsts) < 10:
            self._firsts.append(self.values)
        elif total > EXPLOSION * max(sum(first.values()) for first in self._firsts):
            growth = {
                name: value / max(*(first[name] for first in self._firsts), 1e-30)
                for name, value in self.values.items()
            }
            worst = max(growth, key=lambda name: growth[name])
            raise Diverged(f"the loss '{worst}' grew to {growth[worst]:.3g} times its start")
        before = self._bests[-1] if self._bests else math.inf
        if total < before:
            self.best = self.current()
        self._bests.append(min(total, before))

    def _culprit(self, values: Mapping[str, float]) -> str:
        """Which term's gradient is no number; each is computed anew, by itself."""
        fresh = self._pixels.detach().requires_grad_()
        for name, term in self._scale.terms(self._space.picture(fresh)).items():
            if not term.requires_grad:
                continue
            (gradient,) = torch.autograd.grad(term, fresh, retain_graph=True, allow_unused=True)
            if gradient is not None and not bool(torch.isfinite(gradient).all()):
                return name
        return ", ".join(values)
