"""The optimization loop: coarse to fine, best so far, stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.interrupts import AtOnce, deferred
from instyle_core.optimization.optimizers import Momentum
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.optimization.scale import (
    Diverged,
    Scale,
    ScaleRun,
    ScaleState,
    StepFailure,
    never,
)
from instyle_core.optimization.schedule import scale_steps

Status = Literal["finished", "interrupted", "diverged"]


@dataclass(frozen=True)
class Progress:
    """One step: `step` counts from 1 over all scales; `terms` are weighted."""

    step: int
    steps: int
    size: Size
    terms: Mapping[str, float]
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class OptimizationState:
    """Where an optimization stands: all that it takes to go on as if nothing had happened.

    Attributes:
        steps: done so far, over all scales.
        best: the best picture so far, (3, H, W); None before the first step.
        random: where random numbers stand.
        scale: None at the beginning of a scale.
        momentum: what the optimizer knew at the end of the scale before; None within a scale, or
            if it takes nothing along.
    """

    steps: int
    best: Tensor | None
    random: list[Tensor]
    scale: ScaleState | None = None
    momentum: Momentum | None = None


@dataclass(frozen=True)
class Outcome:
    """What an optimization came to.

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
    state: OptimizationState | None = None
    flat: tuple[int, ...] = ()


def optimize(
    scale_at: Callable[[Size], Scale],
    sizes: Sequence[Size],
    start: Tensor,
    settings: Adam | LBFGS,
    on_step: Callable[[Progress], None],
    resume_from: OptimizationState | None = None,
    fall_back: Callable[[StepFailure], bool] = never,
) -> Outcome:
    """Minimize the objective over the pixels, coarse to fine.

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
        settings: the optimizer's.
        on_step: told of each step; a `KeyboardInterrupt` that it raises comes between two steps.
        resume_from: the state that an earlier call with the same arguments ended in.
        fall_back: has the scale compute in another way from then on, because memory has run out or
            a gradient has left the range of its precision; false if there is no other way.

    Raises:
        InstyleError: memory has run out for good.
    """
    budget = scale_steps(settings.steps, len(sizes))
    state = resume_from or OptimizationState(0, None, random_state())
    done, between_steps = state.steps, False
    flat: list[int] = []
    run: ScaleRun | None = None
    status: Status = "finished"
    reason = ""
    restore_random_state(state.scale.random if state.scale else state.random)
    try:
        with deferred() as stop_is_asked_for:
            for index, end in enumerate(accumulate(budget)):
                if done >= end:  # fewer steps than scales, or the scale was done before
                    continue
                entry = random_state()
                scale = scale_at(sizes[index])
                run = ScaleRun(scale, start, state.best, settings, state.momentum, fall_back)
                if state.scale:
                    run.go_on_from(state.scale)
                    restore_random_state(state.random)
                while done < end:
                    if run.is_flat(settings.tolerance):
                        flat.append(done)
                        done = end
                        break
                    between_steps = False
                    run.step(settings.learning_rate_at(done + 1))
                    done += 1
                    between_steps = True
                    on_step(Progress(done, settings.steps, run.size, run.values, run.current))
                    if stop_is_asked_for():
                        raise KeyboardInterrupt
                state = OptimizationState(done, run.best, random_state(), momentum=run.momentum())
                between_steps = False
    except KeyboardInterrupt as interrupt:
        status, reason = "interrupted", "interrupted"
        if run and between_steps and not isinstance(interrupt, AtOnce):
            within = run.state(entry) if done < end else None
            momentum = None if within else run.momentum()
            state = OptimizationState(done, run.best, random_state(), within, momentum)
    except Diverged as diverged:
        status, reason = "diverged", str(diverged)
    picture = run.best if run else state.best
    can_go_on = status == "interrupted" and state.steps > 0
    return Outcome(picture, status, reason, state if can_go_on else None, tuple(flat))
