"""Layers with frozen weights: only their input gets a gradient."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from instyle_vgg.params import Padding

#: For how many sizes of pictures a layer keeps its packed weights.
SIZES = 3


class Convolution:
    """A frozen 3x3 convolution that keeps the size, alone or fused with a ReLU and max pooling.

    On a CPU, oneDNN computes convolution and ReLU in one pass over memory, from weights that are
    packed once for the size of the picture instead of at each step. The gradient with respect to
    the input is a convolution too, with the kernels rotated by 180 degrees.

    Args:
        weight: (D, C, 3, 3).
        bias: (D,).
        padding: what surrounds a map: `mirror`, the cells at its border once more; or `zeros`.
    """

    def __init__(self, weight: Tensor, bias: Tensor, padding: Padding) -> None:
        self.weight = weight
        self.bias = bias
        self._mirrors = padding == "mirror"
        rotated = weight.flip(2, 3).transpose(0, 1)
        self._rotated = rotated.contiguous(memory_format=torch.channels_last)
        self._pack = lru_cache(maxsize=2 * SIZES)(_pack)

    def __call__(self, values: Tensor) -> Tensor:
        """``values * weight + bias``: (N, C, H, W) to (N, D, H, W)."""
        if self._mirrors:
            return F.conv2d(_Mirrored.apply(values), self.weight, self.bias)  # type: ignore[no-untyped-call]
        return F.conv2d(values, self.weight, self.bias, padding=1)

    def relu(self, values: Tensor) -> Tensor:
        """``max(values * weight + bias, 0)``; only the result is kept for the backward pass."""
        return _ConvolutionReLU.apply(values, self)  # type: ignore[no-untyped-call]

    def relu_pool(self, values: Tensor) -> Tensor:
        """2x2 max pooling of `relu`: (N, C, H, W) to (N, D, H // 2, W // 2).

        The backward pass applies ReLU's mask to the pooled values, a quarter as many: where the
        maximum of a square is 0, the gradient is 0. Only the result and the positions of the
        maxima are kept for it.
        """
        return _ConvolutionReLUPool.apply(values, self)  # type: ignore[no-untyped-call]

    def rectified(self, values: Tensor) -> Tensor:
        """`relu` without a gradient."""
        if not _has_fusion(values):
            return self(values).relu_()
        if self._mirrors:
            return self._fused(mirrored(values), self.weight, self.bias, "relu", padding=0)
        return self._fused(values, self.weight, self.bias, "relu", padding=1)

    def transposed(self, gradient: Tensor) -> Tensor:
        """The gradient with respect to the input: (N, D, H, W) to (N, C, H, W)."""
        padding = 2 if self._mirrors else 1
        if _has_fusion(gradient):
            result = self._fused(gradient, self._rotated, None, "none", padding)
        else:
            result = F.conv2d(gradient, self._rotated, padding=padding)
        return folded(result) if self._mirrors else result

    def _fused(
        self, values: Tensor, weight: Tensor, bias: Tensor | None, post: str, padding: int
    ) -> Tensor:
        packed = self._pack(weight, values.shape, padding)
        return torch.ops.mkldnn._convolution_pointwise(
            values, packed, bias, [padding] * 2, _ONES, _ONES, 1, post, [], ""
        )


def mirrored(values: Tensor) -> Tensor:
    """A map (N, C, H, W) surrounded by its own border: (N, C, H + 2, W + 2), in its layout.

    A mirror image of one cell. ``F.pad`` gives the same, but converts the layout.
    """
    count, channels, height, width = values.shape
    layout = torch.channels_last if _is_channels_last(values) else torch.contiguous_format
    result = torch.empty(
        *(count, channels, height + 2, width + 2),
        dtype=values.dtype,
        device=values.device,
        memory_format=layout,
    )
    result[..., 1:-1, 1:-1] = values
    result[..., 1:-1, 0], result[..., 1:-1, -1] = values[..., 0], values[..., -1]
    result[..., 0, :], result[..., -1, :] = result[..., 1, :], result[..., -2, :]
    return result


def folded(gradient: Tensor) -> Tensor:
    """The gradient of `mirrored`: (N, C, H + 2, W + 2), which is changed, to (N, C, H, W)."""
    gradient[..., 1, :] += gradient[..., 0, :]
    gradient[..., -2, :] += gradient[..., -1, :]
    gradient[..., 1] += gradient[..., 0]
    gradient[..., -2] += gradient[..., -1]
    layout = torch.channels_last if _is_channels_last(gradient) else torch.contiguous_format
    return gradient[..., 1:-1, 1:-1].contiguous(memory_format=layout)


class _Mirrored(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return mirrored(values)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return folded(gradient.clone())


def max_pool(values: Tensor) -> Tensor:
    """2x2 max pooling with a stride of 2: (N, C, H, W) to (N, C, H // 2, W // 2)."""
    strips = _strips(values)
    return _joined(F.max_pool2d(_split(values, strips), 2), strips)


def _strips(values: Tensor) -> int:
    """How many strips a picture is cut into for pooling; 1 where cutting would need a copy.

    With channels last, torch computes the gradient of pooling on one core for each picture of a
    batch. Strips, which pass for a batch of pictures, use all cores.
    """
    count, _, height, _ = values.shape
    alone = count == 1 and values.device.type == "cpu"
    return height // 2 if alone and height % 2 == 0 and _is_channels_last(values) else 1


def _split(values: Tensor, strips: int) -> Tensor:
    """A picture (1, C, H, W) as a batch (strips, C, H / strips, W)."""
    return values if strips == 1 else _rows_as(values, strips)


def _joined(values: Tensor, strips: int) -> Tensor:
    """The inverse of `_split`."""
    return values if strips == 1 else _rows_as(values, 1)


def _rows_as(values: Tensor, count: int) -> Tensor:
    _, channels, _, width = values.shape
    rows = values.permute(0, 2, 3, 1).reshape(count, -1, width, channels)
    return rows.permute(0, 3, 1, 2)


class _ConvolutionReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, layer: Convolution) -> Tensor:
        result = layer.rectified(values)
        ctx.save_for_backward(result)
        ctx.layer = layer
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (result,) = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradient, result, 0)
        return ctx.layer.transposed(positive), None


class _ConvolutionReLUPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, layer: Convolution) -> Tensor:
        rectified = layer.rectified(values)
        strips = _strips(rectified)
        parts = _split(rectified, strips)
        pooled, indices = torch.ops.aten.max_pool2d_with_indices(parts, _TWOS, _TWOS)
        result = _joined(pooled, strips)
        ctx.save_for_backward(result, indices)
        ctx.layer, ctx.strips, ctx.shape = layer, strips, parts.shape
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        result, indices = ctx.saved_tensors
        layout = torch.channels_last if _is_channels_last(result) else torch.contiguous_format
        positive = torch.ops.aten.threshold_backward(gradient, result, 0)
        positive = _split(positive.contiguous(memory_format=layout), ctx.strips)
        # In place of what was pooled: only its shape and layout are used.
        like = torch.empty(
            ctx.shape, dtype=positive.dtype, device=positive.device, memory_format=layout
        )
        parts = torch.ops.aten.max_pool2d_with_indices_backward(
            positive, like, _TWOS, _TWOS, [0, 0], _ONES, False, indices
        )
        return ctx.layer.transposed(_joined(parts, ctx.strips)), None


#: Kernel size and stride of pooling.
_TWOS = [2, 2]

#: Stride and dilation.
_ONES = [1, 1]


def _pack(weight: Tensor, size: torch.Size, padding: int) -> Tensor:
    paddings = [padding] * 2
    return torch.ops.mkldnn._reorder_convolution_weight(
        weight, paddings, _ONES, _ONES, 1, list(size)
    )


def _has_fusion(values: Tensor) -> bool:
    """Whether oneDNN has the fused operators that are used here, those of torch's compiler."""
    available = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if values.device.type != "cpu" or not available or not _is_channels_last(values):
        return False
    if values.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return values.dtype == torch.float32


def _is_channels_last(values: Tensor) -> bool:
    return values.is_contiguous(memory_format=torch.channels_last)
