"""The optimization at one scale: its steps, the best picture so far, and divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.device import is_out_of_memory
from instyle_core.errors import InstyleError
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.cuda_graph import WARM_UP, capture
from instyle_core.optimization.optimizers import Momentum, copy_whole, solver
from instyle_core.optimization.parametrization import assemble, zero_levels
from instyle_core.optimization.random_state import random_state, restore_random_state

#: The run has diverged once the objective is this many times the largest of its first values.
EXPLOSION = 1e3

#: The largest sum of a gradient's absolute values: the square of more leaves the range of float32,
#: in which Adam and L-BFGS keep it, and Adam would take steps of length 0.
LARGEST_GRADIENT = 1e19

#: Steps over which the objective must fall, if the spec has a tolerance.
PATIENCE = 20

#: A failure after which a step may be computed in another way.
StepFailure = Literal["memory", "overflow"]


def never(failure: StepFailure) -> bool:
    """The `fall_back` that knows no other way to compute a step."""
    del failure
    return False


def out_of_memory(size: Size) -> InstyleError:
    """The error about a picture that is too large for the memory however it is computed."""
    what = f"there is not enough memory for {size[1]}x{size[0]} pixels"
    return InstyleError(what, hint="choose a smaller `size`, or `device: cpu`")


class Scale(Protocol):
    """The optimization problem at one size."""

    size: Size

    def enter(self, picture: Tensor) -> Tensor:
        """The picture, resized to this scale: the pixels to optimize, (3, H, W), in [0, 1]."""
        ...

    def terms(self, pixels: Tensor) -> Mapping[str, Tensor]:
        """The weighted terms of the objective, by name, for pixels in [0, 1]."""
        ...

    def compose(self, pixels: Tensor) -> Tensor:
        """The pixels over the background: (3, H, W), in [0, 1], in a new tensor."""
        ...


@dataclass(frozen=True)
class ScaleState:
    """The state of the optimization at one scale, between two steps.

    Attributes:
        pixels: what is optimized, (3, H, W), in the space of the settings.
        solver: the solver's state.
        bests: the lowest value of the objective so far, after each step.
        firsts: the terms at the first steps, to which later ones are compared for divergence.
        random: the random state at the start of the scale, as preparing it may draw numbers.
    """

    pixels: Tensor
    solver: dict[str, Any]
    bests: list[float]
    firsts: list[dict[str, float]]
    random: list[Tensor]


@dataclass(frozen=True)
class Space:
    """The units of pixels: ``(picture - mean) / std`` by channel, clamped to the limits."""

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
    """A loss or its gradient is not finite, or a loss has exploded; the message says which."""


class ScaleRun:
    """The optimization at one scale: takes steps, keeps the best picture, detects divergence.

    Attributes:
        size: of the scale.
        values: the weighted terms at the last step, by name.
        best: the best picture so far, (3, H, W); until there is one, that of the scale before.
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
        picture = scale.enter(start if best is None else best)
        self._space = Space.of(settings, picture.device)
        # What is optimized is the change since the last step, which is why the levels are zeros
        # between steps: the pixels alone are the state, however they are moved.
        self._pixels = self._space.pixels(picture)
        self._levels = zero_levels(self._pixels, settings.parametrization)
        for level in self._levels:
            level.requires_grad_()
        self._solver = solver(self._levels, settings, momentum)
        self._holds = isinstance(settings, LBFGS)
        # Curvature is the difference of two gradients, which have to be of the same objective:
        # losses that draw random numbers draw the same ones at each step.
        self._random = random_state() if isinstance(settings, LBFGS) else None
        self._free = torch.ones_like(self._pixels)
        self._weight_decay = settings.weight_decay
        self._bests: list[float] = []
        self._firsts: list[dict[str, float]] = []
        self._is_first_evaluation = True
        self._fall_back = fall_back
        self._names: list[str] = []
        self._replay: Callable[[], Tensor] | None = None
        self._until_capture = WARM_UP if picture.device.type == "cuda" else -1

    def momentum(self) -> Momentum | None:
        """What the solver of the next scale starts with."""
        return self._solver.momentum()

    def state(self, random: list[Tensor]) -> ScaleState:
        """All that `resume` needs; its tensors change with the next step.

        Args:
            random: the random state at the start of the scale.
        """
        return ScaleState(self._pixels, self._solver.state(), self._bests, self._firsts, random)

    def resume(self, state: ScaleState) -> None:
        """Continue from the state of an earlier run at this scale, which is copied."""
        copy_whole(self._pixels, state.pixels)
        self._solver.resume(state.solver)
        self._bests = [*state.bests]
        self._firsts = [*state.firsts]

    def is_flat(self, tolerance: float) -> bool:
        """Whether the last steps have lowered the objective by less than this part of it."""
        if not tolerance or len(self._bests) <= PATIENCE:
            return False
        before, now = self._bests[-1 - PATIENCE], self._bests[-1]
        return before - now < tolerance * before

    def current(self) -> Tensor:
        """The current picture, (3, H, W), in [0, 1]."""
        return self._scale.compose(self._space.picture(self._pixels))

    def step(self, learning_rate: float) -> None:
        """Take one step.

        Raises:
            Diverged: a loss or its gradient is not finite, or a loss has exploded.
            InstyleError: there is not enough memory.
        """
        self._is_first_evaluation = True
        self._free.fill_(1)
        self._solver.step(self._evaluate, learning_rate)
        with torch.no_grad():
            change = assemble(self._levels)
            clamped = self._within(self._pixels + self._free * change)
            self._levels[0] += clamped - (self._pixels + change)
            self._solver.corrected()
            self._pixels.copy_(clamped)
            for level in self._levels:
                level.zero_()

    def _moved(self) -> Tensor:
        """The pixels after the change, (3, H, W), within the limits.

        A line search may leave the limits; what it would find there is no picture.
        """
        return self._within(self._pixels + self._free * assemble(self._levels))

    def _within(self, moved: Tensor) -> Tensor:
        low, high = self._space.limits
        # The gradient of torch's own clamp is 0 at the limits too: no pixel would ever leave them.
        return moved.masked_fill(moved < low, low).masked_fill(moved > high, high)

    def _evaluate(self) -> Tensor:
        """The objective; its gradient is left in the levels."""
        values, gradient_size = self._values()
        while not math.isfinite(gradient_size) and self._falls_back("overflow"):
            values, gradient_size = self._values()
        self._check(values, gradient_size)
        if self._is_first_evaluation:  # a line search evaluates several times in a step
            self._is_first_evaluation = False
            self._update(values)
            if self._holds:
                self._hold()
        return torch.tensor(sum(values.values()))

    def _hold(self) -> None:
        """Hold the pixels that the gradient pushes out of the limits, during this step.

        Or L-BFGS would move all others along with what the clamp undoes: such a way may lead uphill
        however short it is, and the line search would end where it started.
        """
        if any(level.grad is None for level in self._levels):
            return
        low, high = self._space.limits
        gradient = cast(Tensor, self._levels[0].grad)  # the finest level's is that of the pixels
        outward = (self._pixels <= low) & (gradient > 0) | (self._pixels >= high) & (gradient < 0)
        self._free.copy_(~outward)
        free = torch.autograd.grad(assemble(self._levels), self._levels, self._free * gradient)
        for level, kept in zip(self._levels, free, strict=True):
            cast(Tensor, level.grad).copy_(kept)

    def _values(self) -> tuple[dict[str, float], float]:
        """The terms, and the size of their gradient, which is finite if all of it is."""
        while True:
            if self._random:
                restore_random_state(self._random)
            try:
                # The only transfer from the device in a step.
                *numbers, gradient_size = self._compute().tolist()
                return dict(zip(self._names, numbers, strict=True)), gradient_size
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of `except`: the error kept the memory of the failed attempt alive.
            if not self._falls_back("memory"):
                raise out_of_memory(self.size)

    def _falls_back(self, failure: StepFailure) -> bool:
        """Whether steps are computed in another way from now on; their graph is captured anew."""
        fell_back = self._fall_back(failure)
        if fell_back and (self._replay or self._until_capture >= 0):
            self._replay, self._until_capture = None, WARM_UP
        return fell_back

    def _compute(self) -> Tensor:
        """The numbers of `_values`, on the device; on a GPU by a CUDA graph after the warm-up."""
        if self._replay is None and self._until_capture == 0:
            self._replay = capture(self._backward)
        self._until_capture -= 1
        return self._replay() if self._replay else self._backward()

    def _backward(self) -> Tensor:
        for level in self._levels:
            level.grad = None
        pixels = self._moved()
        terms = self._scale.terms(self._space.picture(pixels))
        total = torch.stack(list(terms.values())).sum()
        penalty = 0.5 * self._weight_decay * pixels.square().sum() if self._weight_decay else 0
        (total + penalty).backward()  # type: ignore[no-untyped-call]
        self._names = list(terms)
        gradients = [level.grad for level in self._levels if level.grad is not None]
        # Absolute values: a plain sum is nearly 0, and its rounding differs between GPU runs.
        norms = [torch.linalg.vector_norm(gradient, 1) for gradient in gradients]
        size = torch.stack(norms).sum() if norms else total.detach()
        return torch.stack([*(term.detach() for term in terms.values()), size.to(total.dtype)])

    def _check(self, values: Mapping[str, float], gradient_size: float) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(f"the loss '{name}' became {value}")
        if not math.isfinite(gradient_size):
            raise Diverged(f"the gradient of the loss '{self._failing_term(values)}' is not finite")
        if gradient_size > LARGEST_GRADIENT:
            worst = max(values, key=lambda name: abs(values[name]))
            raise Diverged(
                f"the gradient of the objective ({gradient_size:.1e}) is too large for its square; "
                f"the largest loss is '{worst}': divide all weights by the same large number"
            )

    def _update(self, values: dict[str, float]) -> None:
        """Keep the picture if it is the best so far; notice an explosion."""
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

    def _failing_term(self, values: Mapping[str, float]) -> str:
        """The term whose gradient is not finite; each gradient is computed again, on its own."""
        pixels = self._moved().detach().requires_grad_()
        for name, term in self._scale.terms(self._space.picture(pixels)).items():
            if not term.requires_grad:
                continue
            (gradient,) = torch.autograd.grad(term, pixels, retain_graph=True, allow_unused=True)
            if gradient is not None and not bool(torch.isfinite(gradient).all()):
                return name
        return ", ".join(values)
