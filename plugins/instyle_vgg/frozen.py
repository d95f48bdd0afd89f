"""Layers of a network that is not trained: a gradient to their input alone."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input


def convolution_relu(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``max(values * weight + bias, 0)``, 3x3 with a padding of 1; no gradient to the weights.

    Of all that automatic differentiation would keep, only the result is kept. On processors it is
    one pass over memory: a ReLU by itself costs as much as a third of a shallow convolution.

    Args:
        values: (N, C, H, W).
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (N, D, H, W).
    """
    return _ConvolutionReLU.apply(values, weight, bias)  # type: ignore[no-untyped-call]


def max_pool(values: Tensor) -> Tensor:
    """2x2 max pooling with a stride of 2: (N, C, H, W) to (N, C, H // 2, W // 2).

    Channels last, torch computes the gradient on one core for each picture of the batch. So a
    picture becomes a batch of strips, if it can be cut into such, without being copied.
    """
    count, channels, height, width = values.shape
    strips = torch.get_num_threads()
    alone = count == 1 and values.device.type == "cpu"
    if not (alone and height % (2 * strips) == 0 and _is_channels_last(values)):
        return F.max_pool2d(values, 2)
    rows = values.permute(0, 2, 3, 1).reshape(strips, height // strips, width, channels)
    pooled = F.max_pool2d(rows.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    return pooled.reshape(1, height // 2, width // 2, channels).permute(0, 3, 1, 2)


class _ConvolutionReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result = _fused(values, weight, bias)
        ctx.save_for_backward(result, weight)
        ctx.shape = values.shape
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        result, weight = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradient, result, 0)
        before = conv2d_input(ctx.shape, weight, positive, padding=1)  # type: ignore[no-untyped-call]
        return before, None, None


def _fused(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if _has_fusion(values):
        ones = [1, 1]  # padding, stride and dilation
        return torch.ops.mkldnn._convolution_pointwise(
            values, weight, bias, ones, ones, ones, 1, "relu", [], ""
        )
    return F.conv2d(values, weight, bias, padding=1).relu_()


def _has_fusion(values: Tensor) -> bool:
    """Whether oneDNN computes convolution and ReLU in one go, as it does for torch's compiler."""
    if values.device.type != "cpu" or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    if values.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return values.dtype == torch.float32


def _is_channels_last(values: Tensor) -> bool:
    return values.is_contiguous(memory_format=torch.channels_last)
