"""What the optimizer takes along from one scale to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import OptimizationState, Progress, optimize
from instyle_core.optimization.scale import PATIENCE
from instyle_core.optimization.schedule import scale_steps
from instyle_core.testing import picture
from tests.core.helpers.objectives import adam

START = torch.full((3, 4, 4), 0.5)

#: Adam's decay rates and what it adds to the root, as torch has them.
BETA, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def ignore(progress: Progress) -> None:
    pass


class Slope:
    """The mean of all pixels, each channel by a factor: its slope is the same everywhere."""

    def __init__(self, size: Size, factors: Sequence[float]) -> None:
        self.size = size
        self._factors = torch.tensor(factors)[:, None, None]

    def enter(self, start: Tensor) -> Tensor:
        return F.interpolate(start[None], self.size)[0].clone()

    def compose(self, pixels: Tensor) -> Tensor:
        return pixels.clone()

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"slope": (self._factors * pixels).mean() + 9}


class Bowl(Slope):
    """The mean squared distance from a target of the size's own; starts from a picture of its own.

    So that nothing but the optimizer's memory links two scales.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self.target = picture(*size, seed=1)

    def enter(self, start: Tensor) -> Tensor:
        return 0.3 + 0.4 * picture(*self.size, seed=2)

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"bowl": (pixels - self.target).square().mean()}


def stop_at(step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_step


def state_after(
    step: int, scale_at: Any, sizes: Sequence[Size], solver: Adam | LBFGS, start: Tensor = START
) -> OptimizationState:
    state = optimize(scale_at, sizes, start, solver, stop_at(step)).state
    assert state is not None
    assert state.steps == step
    return state


def moments(state: OptimizationState) -> dict[str, list[Tensor]]:
    """Adam's, within a scale."""
    assert state.scale is not None
    assert state.momentum is None
    return state.scale.solver


def assert_everywhere(
    found: Mapping[str, Sequence[Tensor]], size: Size, step: int, first: Any, second: Any
) -> None:
    """Moments of the only level that are the same at every pixel: a value for each channel."""
    assert set(found) == {"step", "exp_avg", "exp_avg_sq"}
    assert [float(taken) for taken in found["step"]] == [step]
    for name, values, least in (("exp_avg", first, 1e-8), ("exp_avg_sq", second, 1e-13)):
        expected = torch.tensor(values, dtype=torch.float32)[:, None, None].expand(3, *size)
        torch.testing.assert_close([*found[name]], [expected], rtol=1e-4, atol=least)


# --- Adam -----------------------------------------------------------------------------------------

slopes = st.lists(
    st.floats(0.1, 10).flatmap(lambda size: st.sampled_from([size, -size])), min_size=3, max_size=3
)


@given(before=slopes, after=slopes, steps=st.integers(4, 12))
@settings(deadline=None)
def test_a_constant_slope_at_twice_the_side(
    before: list[float], after: list[float], steps: int
) -> None:
    """With losses that are means, the slope of a pixel is a quarter at twice the side."""
    sizes, coarse = [(4, 6), (8, 12)], scale_steps(steps, 2)[0]
    solver = adam(steps, learning_rate=0.001)
    slope = {sizes[0]: before, sizes[1]: after}

    def scale_at(size: Size) -> Slope:
        return Slope(size, slope[size])

    g = np.array(before) / (3 * 4 * 6)
    first, second = (1 - BETA**coarse) * g, (1 - BETA_2**coarse) * g**2
    momentum = state_after(coarse, scale_at, sizes, solver).momentum
    assert momentum is not None
    assert_everywhere(momentum, sizes[0], coarse, first, second)

    # What the gradients of the coarse steps would have come to at the fine scale, and one more.
    h = np.array(after) / (3 * 8 * 12)
    first = (1 - BETA**coarse) * (g / 4) * BETA + (1 - BETA) * h
    second = (1 - BETA_2**coarse) * (g / 4) ** 2 * BETA_2 + (1 - BETA_2) * h**2
    found = moments(state_after(coarse + 1, scale_at, sizes, solver))
    assert_everywhere(found, sizes[1], coarse + 1, first, second)

    seen: list[Tensor] = []
    optimize(scale_at, sizes, START, solver, lambda progress: seen.append(progress.picture()))
    mean = first / (1 - BETA ** (coarse + 1))
    spread = np.sqrt(second / (1 - BETA_2 ** (coarse + 1)))
    step = 0.001 * mean / (spread + EPSILON)
    # The fine scale starts from the best of the coarse one, which is what its last step began with.
    moved = seen[coarse - 2].mean(dim=(1, 2)) - seen[coarse].mean(dim=(1, 2))
    assert moved.tolist() == pytest.approx(step.tolist(), abs=2e-6)


@given(before=slopes, steps=st.integers(4, 30))
@settings(deadline=None)
def test_a_slope_that_stays_goes_on_as_at_one_size(before: list[float], steps: int) -> None:
    """The moments are those of a run that took every step at the finest size."""
    sizes = [(4, 4), (5, 6), (8, 8)]
    assert min(scale_steps(steps, len(sizes))) > 0
    solver = adam(steps, learning_rate=0.001)

    def at_the_end(sizes: Sequence[Size]) -> dict[str, list[Tensor]]:
        momentum = state_after(steps, lambda size: Slope(size, before), sizes, solver).momentum
        assert momentum is not None
        return momentum

    carried, unbroken = at_the_end(sizes), at_the_end(sizes[-1:])
    for name, expected in unbroken.items():
        torch.testing.assert_close(carried[name], expected, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(
    "sizes", [[(6, 9), (8, 13), (12, 18)], [(8, 8), (16, 16)], [(5, 32), (7, 32)]], ids=str
)
def test_every_step_is_that_of_adam_with_moments_brought_to_the_size(sizes: list[Size]) -> None:
    """Against Adam in NumPy, and moments that OpenCV resizes."""
    steps, rate = 12, 0.003
    expected: list[np.ndarray] = []
    first = second = np.zeros((1, 1, 3))
    count = 0
    for size, share in zip(sizes, scale_steps(steps, len(sizes)), strict=True):
        ratio = first.size / (3 * size[0] * size[1]) if count else 1.0
        first = ratio * cv2.resize(first, size[::-1], interpolation=cv2.INTER_LINEAR)
        second = ratio**2 * cv2.resize(second, size[::-1], interpolation=cv2.INTER_LINEAR)
        scale = Bowl(size)
        pixels, target = (
            image.permute(1, 2, 0).double().numpy() for image in (scale.enter(START), scale.target)
        )
        for _ in range(share):
            gradient = 2 * (pixels - target) / pixels.size
            count += 1
            first = BETA * first + (1 - BETA) * gradient
            second = BETA_2 * second + (1 - BETA_2) * gradient**2
            root = np.sqrt(second / (1 - BETA_2**count))
            pixels = pixels - rate * first / (1 - BETA**count) / (root + EPSILON)
            expected.append(pixels)
    seen: list[np.ndarray] = []
    optimize(
        Bowl,
        sizes,
        START,
        adam(steps, learning_rate=rate),
        lambda progress: seen.append(progress.picture().permute(1, 2, 0).numpy()),
    )
    assert len(seen) == len(expected) == steps
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=5e-6)


def test_a_scale_that_was_left_early_hands_its_moments_on() -> None:
    sizes, taken = [(4, 4), (8, 8)], PATIENCE + 1
    coarse = scale_steps(100, 2)[0]
    assert coarse > taken + 1
    # It falls by 1e-5 of its value at each step, so that it counts as flat.
    solver = adam(100, learning_rate=1e-4, tolerance=0.1)
    state = state_after(coarse + 1, lambda size: Slope(size, [1, 1, 1]), sizes, solver)
    g = np.ones(3) / (3 * 8 * 8)
    first, second = (1 - BETA ** (taken + 1)) * g, (1 - BETA_2 ** (taken + 1)) * g**2
    assert_everywhere(moments(state), (8, 8), taken + 1, first, second)


# --- L-BFGS ---------------------------------------------------------------------------------------


def second_scale(solver: Adam | LBFGS) -> tuple[Tensor, Tensor]:
    """What two scales come to, and the second one on its own, which starts from the same."""
    sizes = [(6, 9), (12, 18)]
    assert scale_steps(solver.steps, 2) == [5, 5]
    both = optimize(Bowl, sizes, START, solver, ignore).picture
    alone = solver.model_copy(update={"steps": 5})
    second = optimize(Bowl, sizes[1:], START, alone, ignore).picture
    assert both is not None
    assert second is not None
    return both, second


def test_lbfgs_takes_nothing_along() -> None:
    solver = LBFGS(steps=10, history=4)
    state = state_after(5, Bowl, [(6, 9), (12, 18)], solver)
    assert state.momentum is None
    assert state.scale is None
    both, second = second_scale(solver)
    assert torch.equal(both, second)


def test_adam_does() -> None:
    both, second = second_scale(adam(10, learning_rate=0.01))
    assert (both - second).abs().max() > 1e-3
