"""The optimization loop: coarse to fine, keeping the best picture, stopping early."""

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
    """One step, as `on_step` is told of it.

    Attributes:
        step: its number, from 1, counted over all scales.
        steps: the number of the last step.
        size: of the scale.
        terms: the weighted terms of the objective, by name.
        picture: makes the picture after the step, (3, H, W), in [0, 1].
        state: makes the state after the step; its tensors change with the next one.
    """

    step: int
    steps: int
    size: Size
    terms: Mapping[str, float]
    picture: Callable[[], Tensor]
    state: Callable[[], OptimizationState]


@dataclass(frozen=True)
class OptimizationState:
    """The state of an optimization, from which it continues as if it had not been interrupted.

    Attributes:
        steps: the number of steps done, over all scales.
        best: the best picture so far, (3, H, W); None before the first step.
        random: the random state.
        scale: the state within a scale; None at the start of one.
        momentum: what the solver of the scale before hands on; None within a scale, or if it hands
            nothing on.
    """

    steps: int
    best: Tensor | None
    random: list[Tensor]
    scale: ScaleState | None = None
    momentum: Momentum | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of an optimization.

    Attributes:
        picture: the best picture of the scale that was reached, (3, H, W); None if there is none.
        status: how it ended.
        reason: why it did not finish, else empty.
        state: to resume from after an interrupt; None if it can only start again.
        flat: the steps after which the objective was flat, so that the remaining steps of their
            scale were skipped.
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

    Ctrl-C, a loss that is not finite and a loss that explodes end it early, with the best picture
    so far. Losses of two scales cannot be compared, so the best picture is of the scale that was
    reached. A step evaluates the picture that it starts from; the picture after the last step is
    never evaluated, and so never the best. Skipped steps keep their numbers: each scale always
    starts at the same number.

    At the first Ctrl-C, the current step is finished. A second one, or any `KeyboardInterrupt` from
    within a step, ends it at once; it then resumes at the start of the scale.

    Args:
        scale_at: makes the problem at a size; called when that scale starts.
        sizes: of the scales, from coarse to fine.
        start: the picture to start from, (3, H, W), in [0, 1], of any size.
        settings: of the optimizer.
        on_step: called after each step; may raise `KeyboardInterrupt` to stop there.
        resume_from: the state that an earlier call with the same arguments returned.
        fall_back: called when memory has run out, or a gradient has left the range of its
            precision; switches to another way to compute steps, or returns False if there is none.

    Returns:
        The outcome, however it ended.

    Raises:
        InstyleError: there is not enough memory, and nothing to fall back to.
    """
    last_steps = accumulate(scale_steps(settings.steps, len(sizes)))
    state = resume_from or OptimizationState(0, None, random_state())
    done, between_steps = state.steps, False
    flat: list[int] = []
    run: ScaleRun | None = None
    status: Status = "finished"
    reason = ""
    restore_random_state(state.scale.random if state.scale else state.random)

    def state_now() -> OptimizationState:
        assert run
        within = run.state(random_at_start) if done < last_step else None
        momentum = None if within else run.momentum()
        return OptimizationState(done, run.best, random_state(), within, momentum)

    try:
        with deferred() as stop_requested:
            for size, last_step in zip(sizes, last_steps, strict=True):
                if done >= last_step:  # a scale without steps, or done before the interrupt
                    continue
                random_at_start = random_state()
                scale = scale_at(size)
                run = ScaleRun(scale, start, state.best, settings, state.momentum, fall_back)
                if state.scale:
                    run.resume(state.scale)
                    restore_random_state(state.random)
                while done < last_step:
                    if run.is_flat(settings.tolerance):
                        flat.append(done)
                        done = last_step
                        break
                    between_steps = False
                    run.step(settings.learning_rate_at(done + 1))
                    done += 1
                    between_steps = True
                    now = (done, settings.steps, run.size, run.values, run.current, state_now)
                    on_step(Progress(*now))
                    if stop_requested():
                        raise KeyboardInterrupt
                state = OptimizationState(done, run.best, random_state(), momentum=run.momentum())
                between_steps = False
    except KeyboardInterrupt as interrupt:
        status, reason = "interrupted", "interrupted"
        if run and between_steps and not isinstance(interrupt, AtOnce):
            state = state_now()
    except Diverged as diverged:
        status, reason = "diverged", str(diverged)
    picture = run.best if run else state.best
    can_resume = status == "interrupted" and state.steps > 0
    return Outcome(picture, status, reason, state if can_resume else None, tuple(flat))
