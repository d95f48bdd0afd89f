"""What takes the steps, against the papers' formulas in NumPy."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.optimization.optimizers import AdamSolver, LBFGSSolver, Solver, solver

SHAPE = (3, 4, 5)


def start() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(*SHAPE, generator=generator).requires_grad_()


def goal() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(*SHAPE, generator=generator)


def take(steps: int, pixels: Tensor, by: Solver, rate: float) -> None:
    """Steps toward the goal: the objective is ``sum_p w_p (x_p - g_p)²`` with w from 1 to 3."""
    weights = torch.linspace(1, 3, pixels.numel()).reshape(SHAPE)

    def evaluate() -> Tensor:
        pixels.grad = None
        objective = (weights * (pixels - goal()).square()).sum()
        objective.backward()  # type: ignore[no-untyped-call]
        return objective.detach()

    for _ in range(steps):
        by.step(evaluate, rate)


def adam_by_hand(steps: int, rate: float) -> NDArray[np.float64]:
    """Kingma and Ba, algorithm 1."""
    x, g = start().detach().double().numpy(), goal().double().numpy()
    w = np.linspace(1, 3, x.size).reshape(SHAPE)
    m, v = np.zeros(SHAPE), np.zeros(SHAPE)
    for t in range(1, steps + 1):
        slope = 2 * w * (x - g)
        m = 0.9 * m + 0.1 * slope
        v = 0.999 * v + 0.001 * slope**2
        x = x - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


@given(steps=st.integers(1, 12), rate=st.floats(1e-3, 0.1))
@settings(max_examples=30, deadline=None)
def test_adam(steps: int, rate: float) -> None:
    pixels = start()
    take(steps, pixels, AdamSolver([pixels]), rate)
    np.testing.assert_allclose(
        pixels.detach().numpy(), adam_by_hand(steps, rate), rtol=1e-4, atol=1e-5
    )


def test_adam_leaves_a_level_without_a_gradient_alone() -> None:
    pixels, other = start(), torch.full((3, 2, 2), 0.5, requires_grad=True)
    by = AdamSolver([pixels, other])
    take(3, pixels, by, 0.1)
    np.testing.assert_allclose(pixels.detach().numpy(), adam_by_hand(3, 0.1), rtol=1e-4, atol=1e-5)
    assert torch.equal(other, torch.full((3, 2, 2), 0.5))
    assert [float(step) for step in by.momentum()["step"]] == [3, 0]


def test_lbfgs_finds_the_minimum_of_a_parabola() -> None:
    pixels = start()
    take(12, pixels, LBFGSSolver([pixels], LBFGS()), 1.0)
    torch.testing.assert_close(pixels.detach(), goal(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("settings", [Adam(), LBFGS()])
def test_a_solver_goes_on_where_another_stood(settings: Adam | LBFGS) -> None:
    unbroken, first = start(), start()
    take(7, unbroken, solver([unbroken], settings), 0.1)

    before = solver([first], settings)
    take(3, first, before, 0.1)
    state, kept = before.state(), deepcopy(before.state())
    second = first.detach().clone().requires_grad_()
    after = solver([second], settings)
    after.resume(state)
    take(4, second, after, 0.1)
    assert torch.equal(second, unbroken)

    # The state is still that of the first, which has not moved since.
    again = first.detach().clone().requires_grad_()
    once_more = solver([again], settings)
    once_more.resume(kept)
    take(4, again, once_more, 0.1)
    assert torch.equal(again, unbroken)


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq"])
def test_moments_of_another_shape_are_not_repeated(name: str) -> None:
    one, other = (AdamSolver([start()]) for _ in range(2))
    state = {**one.state(), name: [torch.zeros(())]}
    with pytest.raises(ValueError, match=r"of the shape \(\), not \(3, 4, 5\)"):
        other.resume(state)


def test_lbfgs_takes_no_settings_from_a_state() -> None:
    one, other = (LBFGSSolver([start()], LBFGS(steps=1, history=3)) for _ in range(2))
    state = deepcopy(one.state())
    state["param_groups"][0] |= {"max_iter": 10**9, "history_size": 10**9}
    other.resume(state)
    settings = other.state()["param_groups"][0]
    assert (settings["max_iter"], settings["history_size"]) == (1, 3)


def test_adam_does_not_import_the_compiler() -> None:
    """Which takes a second, and which torch's own class imports."""
    code = (
        "import sys, torch; from instyle_core.optimization.optimizers import AdamSolver; "
        "x = torch.ones(3, 2, 2, requires_grad=True); "
        "x.sum().backward(); AdamSolver([x]).step(lambda: x.sum(), 0.1); "
        "print('torch._dynamo' in sys.modules, float(x[0, 0, 0].detach()) < 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
