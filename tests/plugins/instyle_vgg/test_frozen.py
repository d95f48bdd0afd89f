"""Fused layers against torch's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_vgg.frozen import SIZES, Convolution, folded, max_pool, mirrored
from instyle_vgg.params import Padding

LAYOUTS = [torch.contiguous_format, torch.channels_last]
PADDINGS: list[Padding] = ["mirror", "zeros"]


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


def convolved(values: Tensor, weight: Tensor, bias: Tensor, padding: Padding) -> Tensor:
    """By torch's own operators."""
    mode = "replicate" if padding == "mirror" else "constant"
    return F.conv2d(F.pad(values, (1, 1, 1, 1), mode=mode), weight, bias)


# --- what surrounds a map -------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(9, 12), (2, 3), (1, 4), (1, 1)])
def test_mirrored(layout: torch.memory_format, dtype: torch.dtype, size: tuple[int, int]) -> None:
    values = random(2, 5, *size, dtype=dtype).contiguous(memory_format=layout)
    before = values.clone()
    result = mirrored(values)
    assert torch.equal(result, F.pad(values, (1, 1, 1, 1), mode="replicate"))
    assert result.dtype == dtype
    if size != (1, 1):  # a single cell is of both layouts
        assert result.is_contiguous(memory_format=layout)
    assert torch.equal(values, before)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 0.02)]
)
@pytest.mark.parametrize("size", [(9, 12), (2, 3), (1, 4), (1, 1)])
def test_folded(
    layout: torch.memory_format, dtype: torch.dtype, tolerance: float, size: tuple[int, int]
) -> None:
    """The gradient that torch computes of its own padding, of the same rounded numbers."""
    height, width = size
    outer = random(2, 5, height + 2, width + 2, seed=3, dtype=dtype)
    outer = outer.contiguous(memory_format=layout)
    exact = random(2, 5, *size).requires_grad_()
    padded = F.pad(exact, (1, 1, 1, 1), mode="replicate")
    (expected,) = torch.autograd.grad(padded, exact, outer.double())
    result = folded(outer.clone())
    assert result.shape == expected.shape
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=layout)
    assert float((result.double() - expected).norm() / expected.norm()) < tolerance


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_convolution_by_itself(layout: torch.memory_format, padding: Padding) -> None:
    """And the gradient that comes in is left as it was: others may get the same one."""
    weight, bias = layer(torch.float64)
    values = random(2, 5, 6, 4).contiguous(memory_format=layout).requires_grad_()
    result, expected = (
        Convolution(weight, bias, padding)(values),
        convolved(values, weight, bias, padding),
    )
    torch.testing.assert_close(result, expected)
    outer = random(*result.shape, seed=3).contiguous(memory_format=layout)
    before = outer.clone()
    gradients = [torch.autograd.grad(each, values, outer)[0] for each in (result, expected)]
    torch.testing.assert_close(*gradients)
    assert torch.equal(outer, before)


# --- convolution and ReLU -------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(9, 12), (2, 2), (1, 1)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]
)
def test_convolution_relu(
    layout: torch.memory_format,
    padding: Padding,
    size: tuple[int, int],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    weight, bias = layer(dtype)
    values = random(1, 5, *size, dtype=dtype).contiguous(memory_format=layout).requires_grad_()
    result = Convolution(weight, bias, padding).relu(values)
    # Of the same rounded numbers, in float64.
    exact = values.detach().double().requires_grad_()
    expected = F.relu(convolved(exact, weight.double(), bias.double(), padding))
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
@pytest.mark.parametrize("padding", PADDINGS)
def test_the_gradient_of_convolution_relu(layout: torch.memory_format, padding: Padding) -> None:
    weight, bias = layer(torch.float64)
    values = random(2, 5, 4, 3).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(Convolution(weight, bias, padding).relu, values)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sizes_in_turn(dtype: torch.dtype, padding: Padding) -> None:
    """More than weights are kept packed for, there and back."""
    weight, bias = layer(dtype)
    convolution = Convolution(weight, bias, padding)
    sizes = [(side, side + 3) for side in range(4, 6 + 2 * SIZES)]
    for size in [*sizes, *reversed(sizes)]:
        values = random(1, 5, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)
        values.requires_grad_()
        result = convolution.relu(values)
        exact = values.detach().double().requires_grad_()
        expected = convolved(exact, weight.double(), bias.double(), padding)
        error = (result - expected.relu()).norm() / expected.norm()
        assert float(error.detach()) < 0.01
        outer = random(*result.shape, seed=size[0], dtype=dtype)
        (gradient,) = torch.autograd.grad(result, values, outer)
        (wanted,) = torch.autograd.grad(expected, exact, (outer * (result > 0)).double())
        assert float((gradient - wanted).norm() / wanted.norm()) < 0.01


def test_what_is_cut_off_has_no_slope() -> None:
    weight = torch.zeros(1, 1, 3, 3)
    weight[..., 1, 1] = 1
    values = torch.tensor([-1.0, 0.0, 2.0]).reshape(1, 1, 1, 3).requires_grad_()
    result = Convolution(weight, torch.zeros(1), "mirror").relu(values)
    assert result.flatten().tolist() == [0, 0, 2]
    (gradient,) = torch.autograd.grad(result.sum(), values)
    assert gradient.flatten().tolist() == [0, 0, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(12, 10), (13, 7), (10, 4), (2, 2), (3, 3)])
@pytest.mark.usefixtures("threads")
def test_convolution_relu_pool(
    layout: torch.memory_format, padding: Padding, count: int, size: tuple[int, int]
) -> None:
    """on any number of cores, cut into strips or not; many squares are 0."""
    torch.set_num_threads(count)
    weight, bias = layer(torch.float64)
    values = random(1, 5, *size).contiguous(memory_format=layout).requires_grad_()
    result = Convolution(weight, bias - 1, padding).relu_pool(values)
    expected = F.max_pool2d(F.relu(convolved(values, weight, bias - 1, padding)), 2)
    torch.testing.assert_close(result, expected)
    outer = random(*result.shape, seed=3)
    gradients = [torch.autograd.grad(pooled, values, outer)[0] for pooled in (result, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_the_gradient_of_convolution_relu_pool(
    layout: torch.memory_format, padding: Padding
) -> None:
    weight, bias = layer(torch.float64)
    values = random(2, 5, 4, 6).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(Convolution(weight, bias, padding).relu_pool, values)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_with_and_without_what_is_pooled(dtype: torch.dtype, padding: Padding) -> None:
    """In one go, or one after the other: the same numbers, to the last bit."""
    weight, bias = layer(dtype)
    convolution = Convolution(weight, bias, padding)
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
