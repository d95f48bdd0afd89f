"""Fused layers against torch's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_vgg.frozen import SIZES, Convolution, max_pool

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts their number back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def layer(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    weight = random(7, 5, 3, 3, seed=1, dtype=dtype) / 5
    return weight.contiguous(memory_format=torch.channels_last), random(7, seed=2, dtype=dtype)


# --- convolution and ReLU -------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(9, 12), (2, 2), (1, 1)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]
)
def test_convolution_relu(
    layout: torch.memory_format, size: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    weight, bias = layer(dtype)
    values = random(1, 5, *size, dtype=dtype).contiguous(memory_format=layout).requires_grad_()
    result = Convolution(weight, bias).relu(values)
    # Of the same rounded numbers, in float64.
    exact = values.detach().double().requires_grad_()
    expected = F.relu(F.conv2d(exact, weight.double(), bias.double(), padding=1))
    # Where a sum is within rounding of 0, its slope may be either.
    sure = (result > 0) == (expected > 0)
    outer = random(*result.shape, seed=3, dtype=dtype) * sure
    (gradient,) = torch.autograd.grad(result, values, outer)
    (expected_gradient,) = torch.autograd.grad(expected, exact, outer.double())
    assert result.dtype == gradient.dtype == dtype
    assert sure.double().mean() > 0.95
    for actual, wanted in ((result, expected), (gradient, expected_gradient)):
        assert actual.shape == wanted.shape
        error = (actual.double() - wanted).norm() / wanted.norm()
        assert float(error.detach()) < tolerance


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_gradient_of_convolution_relu(layout: torch.memory_format) -> None:
    weight, bias = layer(torch.float64)
    values = random(2, 5, 4, 3).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(Convolution(weight, bias).relu, values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sizes_in_turn(dtype: torch.dtype) -> None:
    """More than weights are kept packed for, there and back."""
    weight, bias = layer(dtype)
    convolution = Convolution(weight, bias)
    sizes = [(side, side + 3) for side in range(4, 6 + 2 * SIZES)]
    for size in [*sizes, *reversed(sizes)]:
        values = random(1, 5, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)
        values.requires_grad_()
        result = convolution.relu(values)
        expected = F.conv2d(values.detach().double(), weight.double(), bias.double(), padding=1)
        assert float((result.detach() - expected.relu()).norm() / expected.norm()) < 0.01
        outer = random(*result.shape, seed=size[0], dtype=dtype)
        (gradient,) = torch.autograd.grad(result, values, outer)
        wanted = F.conv_transpose2d((outer * (result > 0)).double(), weight.double(), padding=1)
        assert float((gradient - wanted).norm() / wanted.norm()) < 0.01


def test_what_is_cut_off_has_no_slope() -> None:
    weight = torch.zeros(1, 1, 3, 3)
    weight[..., 1, 1] = 1
    values = torch.tensor([-1.0, 0.0, 2.0]).reshape(1, 1, 1, 3).requires_grad_()
    result = Convolution(weight, torch.zeros(1)).relu(values)
    assert result.flatten().tolist() == [0, 0, 2]
    (gradient,) = torch.autograd.grad(result.sum(), values)
    assert gradient.flatten().tolist() == [0, 0, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(12, 10), (13, 7), (10, 4), (2, 2), (3, 3)])
@pytest.mark.usefixtures("threads")
def test_convolution_relu_pool(
    layout: torch.memory_format, count: int, size: tuple[int, int]
) -> None:
    """on any number of cores, cut into strips or not; many squares are 0."""
    torch.set_num_threads(count)
    weight, bias = layer(torch.float64)
    values = random(1, 5, *size).contiguous(memory_format=layout).requires_grad_()
    result = Convolution(weight, bias - 1).relu_pool(values)
    expected = F.max_pool2d(F.relu(F.conv2d(values, weight, bias - 1, padding=1)), 2)
    torch.testing.assert_close(result, expected)
    outer = random(*result.shape, seed=3)
    gradients = [torch.autograd.grad(pooled, values, outer)[0] for pooled in (result, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_gradient_of_convolution_relu_pool(layout: torch.memory_format) -> None:
    weight, bias = layer(torch.float64)
    values = random(2, 5, 4, 6).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(Convolution(weight, bias).relu_pool, values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_with_and_without_what_is_pooled(dtype: torch.dtype) -> None:
    """In one go, or one after the other: the same numbers, to the last bit."""
    weight, bias = layer(dtype)
    convolution = Convolution(weight, bias)
    values = random(1, 5, 16, 24, dtype=dtype).contiguous(memory_format=torch.channels_last)
    values.requires_grad_()
    outer = random(1, 7, 8, 12, seed=3, dtype=dtype)
    each = [convolution.relu_pool(values), max_pool(convolution.relu(values))]
    assert torch.equal(*each)
    assert torch.equal(*(torch.autograd.grad(pooled, values, outer)[0] for pooled in each))


# --- max pooling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(12, 10), (12, 7), (13, 8), (10, 4), (2, 2), (3, 3)])
@pytest.mark.usefixtures("threads")
def test_max_pool(layout: torch.memory_format, count: int, size: tuple[int, int]) -> None:
    """On any number of cores, cut into strips or not. Numbers 0 to 2 tie."""
    torch.set_num_threads(count)
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 3, (1, 6, *size), generator=generator).float()
    values = values.contiguous(memory_format=layout).requires_grad_()
    actual, expected = max_pool(values), F.max_pool2d(values, 2)
    assert torch.equal(actual, expected)
    outer = random(*expected.shape, dtype=torch.float32)
    gradients = [torch.autograd.grad(pooled, values, outer)[0] for pooled in (actual, expected)]
    assert torch.equal(*gradients)


def test_strips_are_no_copy() -> None:
    """Pooled in strips, it is still one picture, channels last."""
    values = random(1, 6, 8, 10).contiguous(memory_format=torch.channels_last)
    pooled = max_pool(values)
    assert pooled.shape == (1, 6, 4, 5)
    assert pooled.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_of_pictures_is_not_mixed_up() -> None:
    values = random(3, 6, 8, 10).contiguous(memory_format=torch.channels_last)
    assert torch.equal(max_pool(values), F.max_pool2d(values, 2))
