"""The levels of a Laplacian pyramid: how they add up, and what optimizers make of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam, Parametrization
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import Progress, optimize
from instyle_core.optimization.parametrization import assemble, level_sizes, zero_levels
from instyle_core.testing import picture

BOTH: list[Parametrization] = ["pyramid", "pixels"]


def ignore(progress: Progress) -> None:
    pass


sides = st.integers(1, 70)
seeds = st.integers(0, 99)


def levels_of(size: Size, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(3, *own, generator=generator, dtype=torch.float64)
        for own in level_sizes(size, "pyramid")
    ]


def enlarged(image: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, 3)


# --- the levels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((7, 5), [(7, 5)]),
        ((8, 3), [(8, 3), (4, 1)]),
        ((15, 9), [(15, 9), (7, 4)]),
        ((2, 33), [(2, 33), (1, 16), (1, 8), (1, 4)]),
        ((64, 48), [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3)]),
    ],
)
def test_sizes(size: Size, expected: list[Size]) -> None:
    assert level_sizes(size, "pyramid") == expected
    assert level_sizes(size, "pixels") == expected[:1]


@given(height=sides, width=sides, parametrization=st.sampled_from(BOTH))
def test_levels_start_as_no_change(
    height: int, width: int, parametrization: Parametrization
) -> None:
    levels = zero_levels(torch.ones(3, height, width, dtype=torch.float64), parametrization)
    assert [level.shape for level in levels] == [
        (3, *size) for size in level_sizes((height, width), parametrization)
    ]
    assert all(level.dtype == torch.float64 and not level.any() for level in levels)
    assert torch.equal(assemble(levels), torch.zeros(3, height, width, dtype=torch.float64))


# --- their sum ------------------------------------------------------------------------------------


@given(height=sides, width=sides, seed=seeds)
@settings(deadline=None)
def test_the_sum_of_levels_that_opencv_enlarges(height: int, width: int, seed: int) -> None:
    levels = levels_of((height, width), seed)
    *finer, total = [level.permute(1, 2, 0).numpy() for level in levels]
    for level in reversed(finer):
        total = level + enlarged(total, level.shape[:2])
    found = assemble(levels).permute(1, 2, 0).numpy()
    # OpenCV's weights are of float32.
    np.testing.assert_allclose(found, total, rtol=0, atol=1e-5)


@given(height=sides, width=sides, values=st.lists(st.floats(-2, 2), min_size=7, max_size=7))
def test_constant_levels_add_up(height: int, width: int, values: list[float]) -> None:
    sizes = level_sizes((height, width), "pyramid")
    used = values[: len(sizes)]
    levels = [
        torch.full((3, *size), value, dtype=torch.float64)
        for size, value in zip(sizes, used, strict=True)
    ]
    found = assemble(levels)
    assert found.shape == (3, height, width)
    assert found.numpy() == pytest.approx(np.full(found.shape, sum(used)), abs=1e-12)


@given(height=sides, width=sides, seed=seeds)
@settings(deadline=None)
def test_the_gradient_is_the_adjoint(height: int, width: int, seed: int) -> None:
    """``<Ax, y> = <x, A'y>``."""
    levels = [level.requires_grad_() for level in levels_of((height, width), seed)]
    generator = torch.Generator().manual_seed(seed + 1)
    other = torch.randn(3, height, width, generator=generator, dtype=torch.float64)
    total = assemble(levels)
    gradients = torch.autograd.grad(total, levels, other)
    products = [
        float((level * own).sum().detach()) for level, own in zip(levels, gradients, strict=True)
    ]
    assert sum(products) == pytest.approx(float((total * other).sum().detach()), abs=1e-8)
    assert torch.equal(gradients[0], other)  # the finest level is that of the pixels


# --- what Adam makes of them ----------------------------------------------------------------------


class Bowl:
    """The mean squared distance of each pixel from a target."""

    def __init__(self, target: Tensor) -> None:
        self.size = (target.shape[1], target.shape[2])
        self._target = target

    def enter(self, start: Tensor) -> Tensor:
        return torch.full_like(self._target, 0.5)

    def compose(self, pixels: Tensor) -> Tensor:
        return pixels.clone()

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"bowl": (pixels - self._target).square().mean()}


def solve(scale: Bowl, solver: Adam) -> Tensor:
    """The picture after the last step."""
    seen: list[Tensor] = []
    start = torch.zeros(3, *scale.size)
    optimize(lambda size: scale, [scale.size], start, solver, lambda at: seen.append(at.picture()))
    return seen[-1]


def test_a_large_area_changes_in_few_steps_of_a_pyramid_and_not_of_pixels() -> None:
    """The target is 0.4 away all over: 4 steps of 0.02 by each of the 5 levels, or 20 of one."""
    target, steps = torch.full((3, 64, 64), 0.9), 4
    moved = {}
    for parametrization in BOTH:
        solver = Adam(steps=steps, learning_rate=0.02, decay=0, parametrization=parametrization)
        moved[parametrization] = float(solve(Bowl(target), solver).mean()) - 0.5
    assert moved["pixels"] == pytest.approx(steps * 0.02, rel=0.01)
    # Adam's steps shorten near the target.
    assert moved["pyramid"] == pytest.approx(5 * steps * 0.02, rel=0.1)


def test_a_single_pixel_changes_as_quickly_in_both() -> None:
    target = torch.full((3, 64, 64), 0.5)
    target[:, 20, 30] = 0.9
    for parametrization in BOTH:
        solver = Adam(steps=40, learning_rate=0.02, decay=0, parametrization=parametrization)
        change = solve(Bowl(target), solver) - 0.5
        assert float(change[:, 20, 30].min()) > 0.35
        assert float(change.abs().median()) < 0.01


@pytest.mark.parametrize("parametrization", BOTH)
def test_weight_decay_is_a_penalty_on_the_pixels(parametrization: Parametrization) -> None:
    """``mean((x - t)^2) + d/2 sum(x^2)`` is least at ``x = t / (1 + d n / 2)``."""
    target = 0.2 + 0.6 * picture(16, 16)
    decay = 0.5 * 2 / target.numel()
    solver = Adam(
        steps=400, learning_rate=0.01, weight_decay=decay, parametrization=parametrization
    )
    found = solve(Bowl(target), solver)
    torch.testing.assert_close(found, target / 1.5, rtol=0, atol=2e-3)


@pytest.mark.parametrize("parametrization", BOTH)
def test_pixels_come_back_from_the_limits(parametrization: Parametrization) -> None:
    """The gradient of a pixel at 0 or 1 is that of any other."""
    target = picture(16, 16)

    class Saturated(Bowl):
        def enter(self, start: Tensor) -> Tensor:
            return (target > target.median()).float()

    solver = Adam(steps=300, learning_rate=0.01, parametrization=parametrization)
    torch.testing.assert_close(solve(Saturated(target), solver), target, rtol=0, atol=1e-2)


# --- resuming -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "solver",
    [Adam(steps=12, learning_rate=0.02), LBFGS(steps=12, history=4)],
    ids=["adam", "lbfgs"],
)
@pytest.mark.parametrize("stop", [2, 6, 9])
def test_a_resumed_pyramid_goes_on_bit_for_bit(solver: Adam | LBFGS, stop: int) -> None:
    sizes: list[Size] = [(12, 17), (24, 34)]
    assert len(level_sizes(sizes[0], solver.parametrization)) == 3

    def scale_at(size: Size) -> Curved:
        return Curved(picture(*size, seed=1) * 1.6 - 0.3)

    def stopping(progress: Progress) -> None:
        if progress.step == stop:
            raise KeyboardInterrupt

    start = picture(12, 17)
    unbroken = optimize(scale_at, sizes, start, solver, ignore).picture
    broken = optimize(scale_at, sizes, start, solver, stopping)
    assert broken.state is not None
    assert broken.state.steps == stop
    resumed = optimize(scale_at, sizes, start, solver, ignore, broken.state).picture
    assert unbroken is not None
    assert resumed is not None
    assert broken.picture is not None
    assert torch.equal(resumed, unbroken)
    assert not torch.equal(resumed, broken.picture)


class Curved(Bowl):
    """Neighbors are coupled, and the target leaves the limits."""

    def enter(self, start: Tensor) -> Tensor:
        return 0.3 + 0.4 * picture(*self.size, seed=2)

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        difference = pixels - self._target
        return {"a": (difference + 0.5 * difference.roll(1, 2)).square().mean()}


# --- L-BFGS within limits -------------------------------------------------------------------------


class Quadratic(Bowl):
    """``d'Ad / 2n`` with ``d = x - t``; A couples all pixels."""

    def __init__(self, size: Size, matrix: NDArray[np.float64], target: NDArray[np.float64]):
        super().__init__(torch.from_numpy(target).float().reshape(3, *size))
        self._matrix = torch.from_numpy(matrix).float()

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        difference = (pixels - self._target).flatten()
        return {"q": difference @ (self._matrix @ difference) / 2 / difference.numel()}


@pytest.mark.parametrize("parametrization", BOTH)
@pytest.mark.parametrize("coupling", [0.0, 1.0])
def test_lbfgs_finds_the_best_picture_where_the_optimum_is_none(
    coupling: float, parametrization: Parametrization
) -> None:
    """Against L-BFGS-B of SciPy."""
    size, random = (9, 8), np.random.default_rng(0)
    count = 3 * size[0] * size[1]
    root = np.eye(count) + coupling * random.standard_normal((count, count)) / np.sqrt(count)
    matrix, target = root @ root.T, 0.5 + 0.6 * random.standard_normal(count)

    def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = matrix @ (x - target) / count
        return float((x - target) @ slope / 2), slope

    best = minimize(
        objective,
        np.full(count, 0.5),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1)] * count,
        options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": 5000, "maxfun": 100_000},
    )
    assert 0.3 < np.mean((best.x == 0) | (best.x == 1)) < 0.7
    outcome = optimize(
        lambda size: Quadratic(size, matrix, target),
        [size],
        torch.zeros(3, *size),
        LBFGS(steps=120, parametrization=parametrization),
        ignore,
    )
    assert outcome.picture is not None
    found = outcome.picture.flatten().double().numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    assert objective(found)[0] == pytest.approx(best.fun, rel=1e-5)
    np.testing.assert_allclose(found, best.x, rtol=0, atol=5e-3)
