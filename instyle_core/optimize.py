"""The optimisation loop: scales, optimiser, best so far, stopping."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from instyle_core.interfaces import Size
from instyle_core.interrupts import AtOnce, deferred
from instyle_core.randomness import random_state, restore_random_state
from instyle_core.spec import LBFGS, Adam

Status = Literal["finished", "interrupted", "diverged"]

#: Long side, in pixels, that coarse to fine starts near.
COARSEST = 160

#: Part of all steps that is done at the finest scale, where a step costs most.
FINEST_SHARE = 0.4

#: How far the objective may rise above all of its first values before the run counts as diverged.
EXPLOSION = 1e3


#: Over so many steps the objective has to fall, where a spec has a tolerance.
PATIENCE = 20


class Scale(Protocol):
    """The problem at one size."""

    size: Size

    def enter(self, picture: Tensor) -> Tensor:
        """Bring the result of the scale before to this size: the pixels to optimise, (3, H, W)."""
        ...

    def terms(self, pixels: Tensor) -> Mapping[str, Tensor]:
        """The weighted terms of the objective, by name; pixels are in [0, 1]."""
        ...

    def compose(self, pixels: Tensor) -> Tensor:
        """The picture that the pixels make, (3, H, W), in [0, 1]; a tensor of its own."""
        ...


@dataclass(frozen=True)
class Progress:
    """One step: `step` counts from 1 over all scales; `terms` are weighted."""

    step: int
    steps: int
    size: Size
    terms: Mapping[str, float]
    seconds_left: float
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class ScaleState:
    """Where the optimisation at one scale stands, between two steps.

    Attributes:
        pixels: what is optimised, (3, H, W).
        optimizer: the ``state_dict`` of the optimiser.
        bests: the objective of the best picture so far, after each step.
        firsts: the first values of each term, which an explosion is measured by.
        random: where random numbers stood when the scale was entered: targets may draw some.
    """

    pixels: Tensor
    optimizer: dict[str, Any]
    bests: list[float]
    firsts: list[dict[str, float]]
    random: list[Tensor]


@dataclass(frozen=True)
class State:
    """Where an optimisation stands: all that it takes to go on as if nothing had happened.

    Attributes:
        steps: done so far, over all scales.
        best: the best picture so far, (3, H, W); None before the first step.
        random: where random numbers stand.
        scale: None at the beginning of a scale.
    """

    steps: int
    best: Tensor | None
    random: list[Tensor]
    scale: ScaleState | None = None


@dataclass(frozen=True)
class Outcome:
    """What an optimisation came to.

    Attributes:
        picture: the best so far, composed, at the size of the scale that was reached; None where
            not one step was good.
        status: whether it went through.
        reason: why it did not, else empty.
        state: where it can go on, after an interrupt; None if only at its very beginning.
        flat: the steps after which the objective was flat, so that those that were left at their
            scale were not taken.
    """

    picture: Tensor | None
    status: Status
    reason: str = ""
    state: State | None = None
    flat: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Space:
    """What pixels are measured in: ``(picture - mean) / std`` by channel, clamped to the limits."""

    mean: Tensor
    std: Tensor
    limits: tuple[float, float]

    @classmethod
    def of(cls, settings: Adam | LBFGS, device: torch.device) -> _Space:
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


class _Diverged(Exception):
    pass


def scale_sizes(size: Size, scales: int | Literal["auto"]) -> list[Size]:
    """The sizes from coarse to fine, each about twice the one before; the last one is `size`."""
    if scales == "auto":
        scales = 1 + max(0, round(math.log2(max(size) / COARSEST)))
    sizes = []
    for index in reversed(range(max(1, scales))):
        factor = 0.5**index
        smaller = (max(32, round(size[0] * factor)), max(32, round(size[1] * factor)))
        sizes.append(size if index == 0 else smaller)
    return list(dict.fromkeys(sizes))


def scale_steps(steps: int, scales: int) -> list[int]:
    """How many steps each scale gets; all of them sum to `steps`.

    Coarse steps are cheap and settle the composition; the finest scale only adds detail.
    """
    if scales == 1:
        return [steps]
    coarse = steps - math.ceil(steps * FINEST_SHARE)
    shares = [coarse // (scales - 1)] * (scales - 1)
    return [*shares, steps - sum(shares)]


def optimize(
    scale_at: Callable[[Size], Scale],
    sizes: Sequence[Size],
    start: Tensor,
    settings: Adam | LBFGS,
    on_step: Callable[[Progress], None],
    resume_from: State | None = None,
) -> Outcome:
    """Minimise the objective over the pixels, coarse to fine.

    Ctrl-C, a loss that is no number and a loss that explodes end it early, with the best picture so
    far. Losses of two scales cannot be compared, so that the best is of the scale that was reached.
    A step evaluates the picture that it starts from: what the last one makes of it has not been
    judged, and is not taken. Steps that a flat objective saves keep their numbers, so that each
    scale begins at a number of its own.

    The first Ctrl-C lets the step under way end. A second one, or any `KeyboardInterrupt` from
    within a step, ends it at once; what can be resumed then is the scale from its beginning.

    Args:
        scale_at: makes the problem at a size; called when its turn comes, so that one is held.
        sizes: of the scales, from coarse to fine.
        start: the picture to start from, (3, H, W), of any size.
        settings: the optimiser's.
        on_step: told of each step; a `KeyboardInterrupt` that it raises comes between two steps.
        resume_from: the state that an earlier call with the same arguments ended in.
    """
    budget = scale_steps(settings.steps, len(sizes))
    state = resume_from or State(0, None, random_state())
    done, between_steps = state.steps, False
    flat: list[int] = []
    run: _ScaleRun | None = None
    status: Status = "finished"
    reason = ""
    restore_random_state(state.scale.random if state.scale else state.random)
    try:
        with deferred() as stop_is_asked_for:
            for index, end in enumerate(accumulate(budget)):
                if done >= end:  # fewer steps than scales, or the scale was done before
                    continue
                entry = random_state()
                run = _ScaleRun(scale_at(sizes[index]), start, state.best, settings)
                if state.scale:
                    run.go_on_from(state.scale)
                    restore_random_state(state.random)
                clock = _Clock(sizes[index:], [end - done, *budget[index + 1 :]])
                while done < end:
                    if run.is_flat(settings.tolerance):
                        flat.append(done)
                        done = end
                        break
                    between_steps = False
                    run.step(settings.learning_rate_at(done + 1))
                    done += 1
                    between_steps = True
                    left = clock.tick()
                    on_step(Progress(done, settings.steps, run.size, run.values, left, run.current))
                    if stop_is_asked_for():
                        raise KeyboardInterrupt
                state = State(done, run.best, random_state())
                between_steps = False
    except KeyboardInterrupt as interrupt:
        status, reason = "interrupted", "interrupted"
        if run and between_steps and not isinstance(interrupt, AtOnce):
            within = run.state(entry) if done < end else None
            state = State(done, run.best, random_state(), within)
    except _Diverged as diverged:
        status, reason = "diverged", str(diverged)
    picture = run.best if run else state.best
    can_go_on = status == "interrupted" and state.steps > 0
    return Outcome(picture, status, reason, state if can_go_on else None, tuple(flat))


def _optimizer(settings: Adam | LBFGS, pixels: Tensor) -> torch.optim.Optimizer:
    if isinstance(settings, Adam):
        return torch.optim.Adam(
            [pixels], lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    # One iteration a step, so that steps can be counted, watched and interrupted. No tolerances:
    # losses are means, so that the gradient of one pixel among millions is tiny, not converged.
    return torch.optim.LBFGS(
        [pixels],
        lr=settings.learning_rate,
        max_iter=1,
        max_eval=25,
        history_size=settings.history,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )


class _ScaleRun:
    """The optimisation at one scale: takes steps, keeps the best picture, sounds the alarm.

    Attributes:
        size: of the scale.
        values: the weighted terms at the last step.
        best: the best picture so far, (3, H, W); that of the scale before until this one has any.
    """

    def __init__(
        self, scale: Scale, start: Tensor, best: Tensor | None, settings: Adam | LBFGS
    ) -> None:
        self.size = scale.size
        self.values: dict[str, float] = {}
        self.best = best
        self._scale = scale
        entered = scale.enter(start if best is None else best)
        self._space = _Space.of(settings, entered.device)
        self._pixels = self._space.pixels(entered).requires_grad_()
        self._optimizer = _optimizer(settings, self._pixels)
        self._bests: list[float] = []
        self._firsts: list[dict[str, float]] = []
        self._fresh = True

    def state(self, random: list[Tensor]) -> ScaleState:
        """Where it stands, until the next step is taken.

        Args:
            random: where random numbers stood when the scale was entered.
        """
        optimizer = self._optimizer.state_dict()
        pixels = self._pixels.detach()
        return ScaleState(pixels, optimizer, self._bests, self._firsts, random)

    def go_on_from(self, state: ScaleState) -> None:
        """Stand where an earlier run at this scale stood; the state itself stays as it is."""
        with torch.no_grad():
            self._pixels.copy_(state.pixels)
        self._optimizer.load_state_dict(deepcopy(state.optimizer))
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
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step(self._evaluate)  # type: ignore[arg-type]
        with torch.no_grad():
            self._pixels.clamp_(*self._space.limits)

    def _evaluate(self) -> Tensor:
        """The objective, with its gradient in the pixels."""
        self._pixels.grad = None
        terms = self._scale.terms(self._space.picture(self._pixels))
        total = torch.stack(list(terms.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        numbers = torch.stack([term.detach() for term in terms.values()]).tolist()
        values = dict(zip(terms, numbers, strict=True))
        self._check(values)
        if self._fresh:  # a line search evaluates more often than once a step
            self._fresh = False
            self._record(values)
        return total.detach()

    def _check(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise _Diverged(f"the loss '{name}' became {value}")
        gradient = self._pixels.grad
        if gradient is None or not bool(torch.isfinite(gradient).all()):
            raise _Diverged(f"the gradient of the loss '{self._culprit(values)}' is no number")

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
            raise _Diverged(f"the loss '{worst}' grew to {growth[worst]:.3g} times its start")
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


class _Clock:
    """Tells the time left: a step is taken to cost as many seconds a pixel at every scale."""

    def __init__(self, sizes: Sequence[Size], budget: Sequence[int]) -> None:
        pixels = [height * width for height, width in sizes]
        self._later = sum(
            steps * area / pixels[0] for steps, area in zip(budget[1:], pixels[1:], strict=True)
        )
        self._left = budget[0]
        self._last = time.monotonic()
        self._recent: list[float] = []

    def tick(self) -> float:
        """Call after a step; returns the seconds left."""
        now = time.monotonic()
        self._recent = [*self._recent[-9:], now - self._last]
        self._last = now
        self._left -= 1
        typical = sorted(self._recent)[len(self._recent) // 2]
        return typical * (self._left + self._later)
