"""How an optimization ends early: by a loss that fails or explodes, and by Ctrl-C."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import Outcome, Progress, optimize
from instyle_core.optimization.schedule import scale_steps
from instyle_core.testing import picture
from tests.core.helpers.objectives import SIZE, Toy, adam, failing, follow, ignore, solve, steady

# --- divergence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [adam(9, 0.001), LBFGS(steps=9)], ids=["adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["nan", "inf", "slope"])
def test_what_is_not_finite_ends_it_with_the_name_of_the_loss(
    kind: str, settings: Adam | LBFGS
) -> None:
    pictures: list[Tensor] = []
    terms = {"fine": steady, "rotten": failing(3, kind), "good": steady}
    outcome = solve(terms, settings, lambda progress: pictures.append(progress.picture()))
    assert outcome.status == "diverged"
    assert "'rotten'" in outcome.reason
    assert "fine" not in outcome.reason
    assert "good" not in outcome.reason
    assert outcome.picture is not None
    assert torch.isfinite(outcome.picture).all()
    assert len(pictures) <= 2


@pytest.mark.parametrize("kind", ["nan", "slope"])
def test_the_best_before_it_is_kept(kind: str) -> None:
    falling = follow(iter([4.0, 2.0, 3.0, 1.0, 1.0]))  # the last is for finding the failing term
    outcome = solve({"fine": falling, "rotten": failing(4, kind)}, adam(9, 0.001))
    assert outcome.status == "diverged"
    assert outcome.picture is not None
    assert (outcome.picture - picture(*SIZE) + 0.001)[:, 1:].abs().max() < 1e-5


def test_the_failing_term_is_found_beside_a_term_that_is_constant() -> None:
    terms = {"constant": lambda image: torch.tensor(1.0), "rotten": failing(1, "slope")}
    outcome = solve(terms, adam(2))
    assert outcome.status == "diverged"
    assert "'rotten'" in outcome.reason


def test_an_explosion_ends_it() -> None:
    calm = [2.0] * 15
    terms = {"fine": follow(iter([*calm, 4.0])), "wild": follow(iter([*calm, 1e4]))}
    steps: list[Progress] = []
    outcome = solve(terms, adam(50, 0.001), steps.append)
    assert outcome.status == "diverged"
    assert "'wild'" in outcome.reason
    assert "fine" not in outcome.reason
    assert len(steps) == len(calm)
    assert outcome.picture is not None
    assert torch.equal(outcome.picture[:, 1:], picture(*SIZE)[:, 1:])


def test_a_loss_may_rise_tenfold_and_a_hundredfold() -> None:
    values = [1.0] * 12 + [10.0] * 12 + [100.0] * 12
    outcome = solve({"a": follow(iter(values))}, adam(len(values), 0.001))
    assert outcome.status == "finished"


@pytest.mark.parametrize("kind", ["nan", "slope"])
def test_there_is_nothing_to_keep_at_the_first_step(kind: str) -> None:
    outcome = solve({"fine": steady, "rotten": failing(1, kind)}, adam(9))
    assert outcome.status == "diverged"
    assert outcome.picture is None


@pytest.mark.parametrize("kind", ["nan", "slope", "interrupt"])
def test_the_scale_before_is_kept_at_the_first_step_of_the_next(kind: str) -> None:
    sizes = [(3, 4), (6, 5)]
    coarse, _ = scale_steps(8, 2)
    outcome = solve({"fine": steady, "rotten": failing(coarse + 1, kind)}, adam(8), sizes=sizes)
    assert outcome.status == ("interrupted" if kind == "interrupt" else "diverged")
    assert outcome.picture is not None
    assert outcome.picture.shape == (3, 3, 4)


# --- Ctrl-C and other errors ----------------------------------------------------------------------


def test_ctrl_c_while_a_step_is_told() -> None:
    def on_step(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    outcome = solve({"a": follow(iter([3.0, 1.0, 2.0, 0.0]))}, adam(9, 0.001), on_step)
    assert outcome.status == "interrupted"
    assert outcome.picture is not None
    assert (outcome.picture - picture(*SIZE) + 0.001)[:, 1:].abs().max() < 1e-5


def test_ctrl_c_within_a_loss() -> None:
    terms = {"a": follow(iter([3.0, 2.0, 1.0])), "b": failing(3, "interrupt")}
    outcome = solve(terms, adam(9, 0.001))
    assert outcome.status == "interrupted"
    assert outcome.picture is not None
    assert (outcome.picture - picture(*SIZE) + 0.001)[:, 1:].abs().max() < 1e-5


def test_ctrl_c_within_a_line_search() -> None:
    # Each step of L-BFGS evaluates where it stands, and then along a line, where this one strikes.
    best: list[Tensor] = []

    def bowl(image: Tensor) -> Tensor:
        best.append(image.detach().clone())
        return (image[:, 1:] - 0.5).square().sum()

    terms = {"a": bowl, "b": failing(2, "interrupt")}
    outcome = solve(terms, LBFGS(steps=9))
    assert outcome.status == "interrupted"
    assert outcome.picture is not None
    assert torch.equal(outcome.picture, best[0])


def test_ctrl_c_before_the_first_step() -> None:
    outcome = solve({"a": failing(1, "interrupt")}, adam(9))
    assert outcome == Outcome(None, "interrupted", "interrupted")


def test_ctrl_c_while_the_next_scale_is_prepared() -> None:
    def scale_at(size: Size) -> Toy:
        if size == (6, 5):
            raise KeyboardInterrupt
        return Toy({"a": steady}, size)

    outcome = optimize(scale_at, [(3, 4), (6, 5)], picture(*SIZE), adam(8), ignore)
    assert outcome.status == "interrupted"
    assert outcome.picture is not None
    assert outcome.picture.shape == (3, 3, 4)


def test_other_errors_are_not_swallowed() -> None:
    def broken(image: Tensor) -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        solve({"a": broken}, adam(2))
