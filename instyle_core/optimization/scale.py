"""The optimization at one scale: its steps, the best picture so far, and divergence."""

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

#: The run has diverged once the objective is this many times the largest of its first values.
EXPLOSION = 1e3

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
        self._pixels = self._space.pixels(picture).requires_grad_()
        self._solver = solver(self._pixels, settings, momentum)
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
        pixels = self._pixels.detach()
        return ScaleState(pixels, self._solver.state(), self._bests, self._firsts, random)

    def resume(self, state: ScaleState) -> None:
        """Continue from the state of an earlier run at this scale, which is copied."""
        with torch.no_grad():
            self._pixels.copy_(state.pixels)
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
        return self._scale.compose(self._space.picture(self._pixels.detach()))

    def step(self, learning_rate: float) -> None:
        """Take one step.

        Raises:
            Diverged: a loss or its gradient is not finite, or a loss has exploded.
            InstyleError: there is not enough memory.
        """
        self._is_first_evaluation = True
        self._solver.step(self._evaluate, learning_rate)
        with torch.no_grad():
            self._pixels.clamp_(*self._space.limits)

    def _evaluate(self) -> Tensor:
        """The objective; its gradient is left in the pixels."""
        values, gradient_size = self._values()
        while not math.isfinite(gradient_size) and self._falls_back("overflow"):
            values, gradient_size = self._values()
        self._check(values, gradient_size)
        if self._is_first_evaluation:  # a line search evaluates several times in a step
            self._is_first_evaluation = False
            self._update(values)
        return torch.tensor(sum(values.values()))

    def _values(self) -> tuple[dict[str, float], float]:
        """The terms, and the size of their gradient, which is finite if all of it is."""
        while True:
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
        self._pixels.grad = None
        terms = self._scale.terms(self._space.picture(self._pixels))
        total = torch.stack(list(terms.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        self._names = list(terms)
        gradient = self._pixels.grad
        # Absolute values: a plain sum is nearly 0, and its rounding differs between GPU runs.
        size = total.detach() if gradient is None else torch.linalg.vector_norm(gradient, 1)
        return torch.stack([*(term.detach() for term in terms.values()), size.to(total.dtype)])

    def _check(self, values: Mapping[str, float], gradient_size: float) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(f"the loss '{name}' became {value}")
        if not math.isfinite(gradient_size):
            raise Diverged(f"the gradient of the loss '{self._failing_term(values)}' is not finite")

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
        pixels = self._pixels.detach().requires_grad_()
        for name, term in self._scale.terms(self._space.picture(pixels)).items():
            if not term.requires_grad:
                continue
            (gradient,) = torch.autograd.grad(term, pixels, retain_graph=True, allow_unused=True)
            if gradient is not None and not bool(torch.isfinite(gradient).all()):
                return name
        return ", ".join(values)
