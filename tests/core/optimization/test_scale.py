"""The optimization at one scale: its pixels, its steps, and what it does when one fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.functional import normalize

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.errors import InstyleError
from instyle_core.optimization import scale as scale_module
from instyle_core.optimization.scale import Diverged, ScaleRun, Space
from instyle_core.testing import picture
from tests.core.helpers.objectives import SIZE, Term, Toy, adam, follow
from tests.core.helpers.pictures import FEW

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def run_of(
    term: Term,
    settings: Adam | LBFGS | None = None,
    start: Tensor | None = None,
    fall_back: Callable[[str], bool] = scale_module.never,
) -> ScaleRun:
    start = picture(*SIZE) if start is None else start
    return ScaleRun(Toy({"term": term}), start, None, settings or adam(9), fall_back=fall_back)


def bowl(image: Tensor) -> Tensor:
    return (image[:, 1:] - 0.3).square().mean()


def steps(run: ScaleRun, count: int) -> list[float]:
    """Take steps; the values of the objective."""
    values = []
    for _ in range(count):
        run.step(0.05)
        values.append(run.values["term"])
    return values


# --- the space of the pixels ----------------------------------------------------------------------


def test_the_imagenet_space_is_that_of_torchvision() -> None:
    space = Space.of(adam(1, space="imagenet"), torch.device("cpu"))
    image = picture(*SIZE)
    torch.testing.assert_close(space.pixels(image), normalize(image, MEAN, STD))
    torch.testing.assert_close(space.picture(normalize(image, MEAN, STD)), image)


@pytest.mark.parametrize(("space", "unit"), [("rgb", 1.0), ("imagenet", STD[0])])
def test_the_learning_rate_is_in_the_units_of_the_space(space: str, unit: float) -> None:
    """Adam's steps down a constant slope are as long as its learning rate."""
    run = run_of(lambda image: image.sum() + 100, adam(2, space=space), torch.full((3, *SIZE), 0.6))
    seen = [0.6]
    for _ in range(2):
        run.step(0.1)
        seen.append(float(run.current()[0, 3, 3]))
    moved = [before - after for before, after in itertools.pairwise(seen)]
    assert moved == pytest.approx([0.1 * unit] * 2, rel=1e-3)


def test_normalized_pixels_stay_within_one_and_a_half_standard_deviations() -> None:
    run = run_of(lambda image: image.sum() + 100, adam(60, space="imagenet"))
    for _ in range(60):
        run.step(0.2)
    lowest = [m - 1.5 * s for m, s in zip(MEAN, STD, strict=True)]
    assert run.current()[:, 3, 3].tolist() == pytest.approx(lowest, abs=1e-6)


def test_weight_decay_pulls_toward_the_mean_of_the_space() -> None:
    settings = adam(200, space="imagenet", weight_decay=1.0)
    run = run_of(lambda image: 0 * image.sum() + 1, settings, torch.full((3, *SIZE), 0.7))
    for _ in range(200):
        run.step(0.05)
    assert run.current()[:, 3, 3].tolist() == pytest.approx(MEAN, abs=0.01)


# --- its pixels within the limits -----------------------------------------------------------------


@pytest.mark.parametrize("settings", [adam(9), LBFGS(steps=9)], ids=["adam", "lbfgs"])
@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_pixel_leaves_a_limit_if_the_gradient_says_so(
    settings: Adam | LBFGS, limit: float
) -> None:
    run = run_of(bowl, settings, torch.full((3, *SIZE), limit))
    run.step(0.05)
    moved = (run.current()[:, 1:] - limit).abs()
    assert float(moved.min()) > 0.005


def test_lbfgs_asks_for_no_values_beyond_the_limits() -> None:
    seen: list[tuple[float, float]] = []

    def term(image: Tensor) -> Tensor:
        seen.append((float(image.detach().min()), float(image.detach().max())))
        return (image - torch.linspace(-9, 9, 5)).square().mean()

    steps(run_of(term, LBFGS(steps=4)), 4)
    assert len(seen) > 4
    assert min(low for low, _ in seen) == 0
    assert max(high for _, high in seen) == 1


# --- a gradient that is too large -----------------------------------------------------------------


@pytest.mark.parametrize("settings", [adam(9), LBFGS(steps=9)], ids=["adam", "lbfgs"])
def test_a_gradient_whose_square_overflows_is_told(settings: Adam | LBFGS) -> None:
    run = run_of(lambda image: 1e22 * bowl(image), settings)
    before = run.current()
    with pytest.raises(Diverged, match=r"the largest loss is 'term': divide all weights"):
        run.step(0.05)
    assert torch.equal(run.current(), before)


def test_a_large_gradient_whose_square_does_not_overflow_is_followed() -> None:
    run, plain = run_of(lambda image: 1e18 * bowl(image)), run_of(bowl)
    for one in (run, plain):
        for _ in range(3):
            one.step(0.05)
    torch.testing.assert_close(run.current(), plain.current(), rtol=0, atol=1e-4)


# --- what it keeps --------------------------------------------------------------------------------


def test_until_the_first_step_the_best_is_that_of_the_scale_before() -> None:
    before = picture(3, 4, seed=5)
    run = ScaleRun(Toy({"term": bowl}), picture(*SIZE), before, adam(9))
    assert run.best is before
    steps(run, 1)
    assert run.best is not None
    assert run.best.shape == (3, *SIZE)


@FEW
@given(values=st.lists(st.floats(1, 100, width=32), min_size=21, max_size=40))
def test_it_is_flat_when_twenty_steps_gained_less_than_the_tolerance(values: list[float]) -> None:
    run = run_of(follow(iter(values)))
    assert not run.is_flat(0.5)
    steps(run, len(values))
    before, now = min(values[:-20]), min(values)
    assert run.is_flat(0.5) == (before - now < 0.5 * before)
    assert not run.is_flat(0)


@pytest.mark.parametrize("settings", [adam(9), LBFGS(steps=9, history=3)], ids=["adam", "lbfgs"])
def test_a_resumed_run_takes_the_steps_of_an_uninterrupted_one(settings: Adam | LBFGS) -> None:
    expected = steps(run_of(bowl, settings), 6)
    first = run_of(bowl, settings)
    assert steps(first, 3) == expected[:3]
    state = first.state([])
    for _ in range(2):  # the state is copied, so that it serves more than once
        resumed = run_of(bowl, settings, picture(*SIZE, seed=7))
        resumed.resume(state)
        assert steps(resumed, 3) == expected[3:]


# --- a step that fails ----------------------------------------------------------------------------


def test_a_step_that_runs_out_of_memory_is_computed_in_another_way() -> None:
    asked: list[str] = []

    def term(image: Tensor) -> Tensor:
        if len(asked) < 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return bowl(image)

    def fall_back(failure: str) -> bool:
        asked.append(failure)
        return True

    assert steps(run_of(term, fall_back=fall_back), 3) == steps(run_of(bowl), 3)
    assert asked == ["memory", "memory"]


def test_without_another_way_it_says_which_size_is_too_large() -> None:
    def term(image: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InstyleError, match="not enough memory for 5x6 pixels") as caught:
        steps(run_of(term), 1)
    assert "smaller `size`" in (caught.value.hint or "")


def test_an_overflow_is_tried_again_with_a_smaller_scale() -> None:
    gradient_scale = 2.0**32
    asked: list[str] = []

    def term(image: Tensor) -> Tensor:
        infinite = 0 * (image * 0).sqrt().sum()  # 0, with a gradient that is not a number
        return bowl(image) + (infinite if gradient_scale > 2**20 else 0)

    def fall_back(failure: str) -> bool:
        nonlocal gradient_scale
        asked.append(failure)
        gradient_scale /= 16
        return True

    assert steps(run_of(term, fall_back=fall_back), 3) == steps(run_of(bowl), 3)
    assert asked == ["overflow"] * 3


# --- steps that are captured in a CUDA graph ------------------------------------------------------


@pytest.mark.parametrize("possible", [True, False])
def test_a_captured_step_is_a_step(monkeypatch: pytest.MonkeyPatch, possible: bool) -> None:
    expected = steps(run_of(bowl), 8)
    asked: list[Callable[[], Tensor]] = []

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor] | None:
        asked.append(compute)
        return compute if possible else None

    monkeypatch.setattr(scale_module, "capture", capture)
    run = run_of(bowl)
    run._until_capture = 3  # as on a GPU
    assert steps(run, 8) == expected
    assert len(asked) == 1


def test_after_falling_back_a_step_is_captured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph replays the way in which the step was computed when it was captured."""
    asked: list[Callable[[], Tensor]] = []
    fell_back: list[str] = []

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        asked.append(compute)
        return compute

    def fall_back(failure: str) -> bool:
        fell_back.append(failure)
        return len(fell_back) < 3

    monkeypatch.setattr(scale_module, "capture", capture)
    run = run_of(bowl, fall_back=fall_back)
    run._until_capture = 1
    steps(run, 3)
    assert len(asked) == 1
    run._replay = lambda: torch.tensor([1.0, math.inf])  # what the graph computes from now on
    values = steps(run, 2 + scale_module.WARM_UP)
    assert fell_back == ["overflow"]
    assert len(asked) == 2
    assert all(math.isfinite(value) and value < 1 for value in values)


def test_memory_that_is_full_before_a_capture_begins_the_warm_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluations: list[int] = []
    asked_at: list[int] = []

    def counted(image: Tensor) -> Tensor:
        evaluations.append(1)
        return bowl(image)

    def capture(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        asked_at.append(len(evaluations))
        if len(asked_at) == 1:
            raise torch.OutOfMemoryError("full")
        return compute

    monkeypatch.setattr(scale_module, "capture", capture)
    run = run_of(counted, fall_back=lambda _: True)
    run._until_capture = scale_module.WARM_UP
    steps(run, 8)
    assert asked_at == [scale_module.WARM_UP, 2 * scale_module.WARM_UP]


def test_each_step_of_lbfgs_draws_the_same_numbers() -> None:
    """Or differences of gradients would tell of other numbers, not of curvature."""
    drawn: list[Tensor] = []

    def noisy(image: Tensor) -> Tensor:
        drawn.append(torch.rand(3))
        return bowl(image) + drawn[-1].sum()

    run = run_of(noisy, LBFGS(steps=3))
    for _ in range(3):
        run.step(1.0)
    assert len(drawn) >= 3
    assert all(torch.equal(numbers, drawn[0]) for numbers in drawn)
