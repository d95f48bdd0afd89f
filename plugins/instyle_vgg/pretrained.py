"""Pretrained weights, brought into one form.

Each set of weights wants its pictures normalized in its own way. Scaling and the order of the
channels are linear, so they are folded into the first convolution; the mean is not, because the
network pads with zeros after subtracting it, and stays a tensor of its own.
"""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from instyle_core import converted
from instyle_vgg.params import Pretrained, VGG19Params
from instyle_vgg.weights import IMAGENET1K_V1, OXFORD

#: Subtracted from pictures in [0, 255]: BGR, as Caffe reads them.
OXFORD_MEAN = (103.939, 116.779, 123.68)

#: Of pictures in [0, 1], RGB.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: The names of the convolutions, from shallow to deep.
CONVOLUTIONS = [layer for layer in VGG19Params().layers() if layer.startswith("conv")]

FIRST = "layers.conv1_1.weight"

State = dict[str, Tensor]


@lru_cache
def load(pretrained: Pretrained) -> State:
    """Load a set of weights, once per process; they are shared and must not be changed.

    Returns:
        ``mean`` (3, 1, 1) for RGB in [0, 1], and for each convolution ``layers.convX_Y.weight``,
        channels last, and ``layers.convX_Y.bias``; float32, on the CPU.
    """
    if pretrained == "oxford":
        state = converted(OXFORD, _oxford)
    else:
        state = converted(IMAGENET1K_V1, _imagenet1k_v1)
    return {name: _channels_last(tensor) for name, tensor in state.items()}


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor


def _oxford(path: Path) -> State:
    # All table look-ups at once: the package's own reader makes a list of 20 million numbers.
    file = torch.load(path, map_location="cpu", weights_only=True)
    tensors = []
    for name in CONVOLUTIONS:
        layer = name.replace("conv", "block").replace("_", "_conv")  # block1_conv1, ...
        levels, indices = file[f"{layer}_W_table"], file[f"{layer}_W_q"]
        tensors += [levels.take(indices.long()), file[f"{layer}_b"]]
    state = _by_layer(tensors)
    state[FIRST] = state[FIRST].flip(3) * 255
    state["mean"] = torch.tensor(OXFORD_MEAN).flip(0)[:, None, None] / 255
    return state


def _imagenet1k_v1(path: Path) -> State:
    file = torch.load(path, map_location="cpu", weights_only=True)
    # features.0.weight, features.0.bias, features.2.weight, ...
    state = _by_layer([tensor for name, tensor in file.items() if name.startswith("features.")])
    state[FIRST] = state[FIRST] / torch.tensor(IMAGENET_STD)
    state["mean"] = torch.tensor(IMAGENET_MEAN)[:, None, None]
    return state


def _by_layer(tensors: list[Tensor]) -> State:
    """Tensors in the order of the network, by the names of its layers; weights as (D, 3, 3, C)."""
    names = [f"layers.{layer}.{kind}" for layer in CONVOLUTIONS for kind in ("weight", "bias")]
    return {
        name: tensor.permute(0, 2, 3, 1).contiguous() if tensor.ndim == 4 else tensor
        for name, tensor in zip(names, tensors, strict=True)
    }
