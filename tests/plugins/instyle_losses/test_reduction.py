"""Weighted sums of squares against NumPy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_losses.reduction import SquaredError, weighted_squares

FACTOR = torch.tensor(0.25, dtype=torch.float64)
LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [(1, 5, 4, 7), (1, 1, 4, 7), (1, 1, 1, 7), (1, 5, 4, 1), (1, 1, 1, 1)]  # and broadcast


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights_layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_weighted_squares(
    layout: torch.memory_format, weights_layout: torch.memory_format, shape: tuple[int, ...]
) -> None:
    weights = random(*shape, seed=1).abs().contiguous(memory_format=weights_layout)
    values = random(1, 5, 4, 7).contiguous(memory_format=layout).requires_grad_()
    plain = values.detach().numpy()
    expected = 0.25 * (np.broadcast_to(weights.numpy(), plain.shape) * plain**2).sum()
    total = weighted_squares(values.detach(), weights, FACTOR)
    assert float(total) == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: weighted_squares(x, weights, FACTOR), values)
    (gradient,) = torch.autograd.grad(3 * weighted_squares(values, weights, FACTOR), values)
    np.testing.assert_allclose(gradient.numpy(), 1.5 * weights.numpy() * plain, rtol=1e-12)
    assert gradient.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("shape", [(6,), (2, 6), (1, 4, 6)])
def test_values_of_any_shape(shape: tuple[int, ...]) -> None:
    values, weights = random(*shape), random(*shape, seed=1).abs()
    expected = 0.25 * (weights.numpy() * values.numpy() ** 2).sum()
    total = weighted_squares(values, weights, FACTOR)
    assert float(total) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_one_weight_for_all(weight: float) -> None:
    values = random(1, 6, 6).requires_grad_()
    total = weighted_squares(values, torch.tensor(weight, dtype=torch.float64), FACTOR)
    expected = 0.25 * weight * (values.detach().numpy() ** 2).sum()
    assert float(total.detach()) == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(total, values)
    torch.testing.assert_close(gradient, 0.5 * weight * values.detach())


def test_weights_get_no_gradient() -> None:
    values, weights = random(2, 3).requires_grad_(), random(2, 3).requires_grad_()
    gradients = torch.autograd.grad(
        weighted_squares(values, weights, FACTOR), (values, weights), allow_unused=True
    )
    assert gradients[0] is not None
    assert gradients[1] is None


@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_errors_of_parts_add_up(reduction: str, layout: torch.memory_format) -> None:
    """Halves of a picture, cut out of tensors that lie in memory in either way."""
    target, values = (random(1, 5, 4, 7, seed=seed) for seed in (0, 1))
    weights = random(1, 1, 4, 7, seed=2).abs()
    squares = (weights * (values - target).square()).sum()
    divisor = {
        "relative": (weights * target.square()).sum(),
        "mean": 5 * weights.sum(),
        "sum": torch.tensor(1.0),
    }[reduction]
    error = SquaredError(target, weights, reduction)
    values = values.contiguous(memory_format=layout)
    assert float(error(values)) == pytest.approx(float(squares / divisor), rel=1e-12)

    def left(whole: Tensor) -> Tensor:
        return whole[..., :3]

    def right(whole: Tensor) -> Tensor:
        return whole[..., 3:]

    halves = sum(float(error(half(values), half)) for half in (left, right))
    assert halves == pytest.approx(float(squares / divisor), rel=1e-12)
    shared = SquaredError(target, weights, reduction, share=0.3)
    assert float(shared(values)) == pytest.approx(0.3 * float(squares / divisor), rel=1e-12)


@pytest.mark.parametrize("reduction", ["relative", "mean", "sum"])
@pytest.mark.parametrize("shape", [(1, 1, 4, 7), ()])
def test_without_weight_nothing_pulls(reduction: str, shape: tuple[int, ...]) -> None:
    """However large the loss's own weight is: a gradient times infinity would be no number."""
    target, values = random(1, 5, 4, 7).float(), random(1, 5, 4, 7, seed=1).float()
    error = SquaredError(target, torch.zeros(shape), reduction)
    loss = 1e6 * error(values.requires_grad_())
    (gradient,) = torch.autograd.grad(loss, values)
    assert float(loss.detach()) == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_a_part_of_a_map_that_is_channels_last() -> None:
    whole = torch.randn(1, 5, 6, 7, generator=torch.Generator().manual_seed(3))
    part = whole.contiguous(memory_format=torch.channels_last)[..., 1:4, 1:5]
    expected = 0.25 * float((part.numpy() ** 2).sum())
    total = weighted_squares(part, torch.ones(1, 1, 3, 4), FACTOR.float())
    assert float(total) == pytest.approx(expected)
