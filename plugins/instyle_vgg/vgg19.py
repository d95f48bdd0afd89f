"""The network as a feature extractor."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from instyle_core import FeatureExtractor, InputError
from instyle_vgg import pretrained
from instyle_vgg.frozen import Convolution, max_pool
from instyle_vgg.params import CONVOLUTIONS, VGG19Params


class VGG19(nn.Module, FeatureExtractor):
    """The convolutions of VGG-19, frozen.

    ``relu(b, i) = max(conv(b, i), 0)``; every ``conv`` is 3x3 and keeps the size, and 2x2 pooling
    with a stride of 2 is between the five blocks. The values of a layer are in the units of its
    weights times ``scale``, and are not normalized: those of ``oxford`` reach thousands.

    Source: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", table 1, configuration E.
    """

    mean: Tensor

    def __init__(self, params: VGG19Params) -> None:
        super().__init__()
        self._strides = params.layers()
        self._scale = params.scale
        self._padding = params.padding
        self._convolutions: dict[tuple[str, torch.dtype], Convolution] = {}
        # This takes no memory and draws no random numbers; the weights are loaded right after.
        with torch.device("meta"):
            self.layers = _layers(params)
            self.register_buffer("mean", torch.empty(3, 1, 1))
        self.load_state_dict(pretrained.load(params.weights), assign=True)
        self.requires_grad_(False).eval()

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the network as far as the deepest of the layers.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1].
            layers: names such as ``relu4_1``.

        Returns:
            For each of the layers a map (N, C, H // stride, W // stride), with C = 64, 128, 256,
            512 and 512 in the five blocks.

        Raises:
            InputError: the picture has fewer pixels on a side than the stride of a layer.
        """
        self._check_size(images, layers)
        maps: dict[str, Tensor] = {}
        dtype = _dtype(images)
        values = (images - self.mean).to(dtype, memory_format=torch.channels_last)
        names, modules = zip(*self.layers.named_children(), strict=True)
        index = 0
        while len(maps) < len(set(layers)):
            name, layer = names[index], modules[index]
            # Values before a ReLU, or before pooling, are only made where they are asked for.
            alone, unpooled = name in layers, name in layers or names[index + 1] in layers
            if not isinstance(layer, nn.Conv2d):
                values = max_pool(values) if isinstance(layer, nn.MaxPool2d) else layer(values)
            elif alone:
                values = self._convolution(name, dtype)(values)
            elif unpooled or not isinstance(modules[index + 2], nn.MaxPool2d):
                values = self._convolution(name, dtype).relu(values)
                index += 1
            else:
                values = self._convolution(name, dtype).relu_pool(values)
                index += 2
            if names[index] in layers:
                maps[names[index]] = values if self._scale == 1 else self._scale * values
            index += 1
        return maps

    def _convolution(self, name: str, dtype: torch.dtype) -> Convolution:
        """A layer in one precision; it is made once."""
        layer = getattr(self.layers, name)
        known = self._convolutions.get((name, dtype))
        if known is None or known.weight.device != layer.weight.device:
            known = Convolution(layer.weight.to(dtype), layer.bias.to(dtype), self._padding)
            self._convolutions[name, dtype] = known
        return known

    def _check_size(self, images: Tensor, layers: Sequence[str]) -> None:
        height, width = images.shape[-2:]
        deepest = max(layers, key=self._strides.__getitem__)
        if min(height, width) < self._strides[deepest]:
            raise InputError(
                f"a picture of {width}x{height} pixels is too small for the layer '{deepest}' of "
                f"vgg19, which needs {self._strides[deepest]} on each side",
                hint="use a larger picture or a shallower layer",
            )


def _dtype(images: Tensor) -> torch.dtype:
    """The precision to compute in: that of automatic mixed precision, else the pictures' own."""
    kind = images.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else images.dtype


def _layers(params: VGG19Params) -> nn.Sequential:
    """``conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ... relu5_4``.

    The ReLUs are not in place: the map before a ReLU may be asked for too.
    """
    layers = nn.Sequential()
    channels = 3
    for block, count in enumerate(CONVOLUTIONS, start=1):
        if block > 1:
            pool = nn.MaxPool2d(2) if params.pooling == "max" else nn.AvgPool2d(2)
            layers.add_module(f"pool{block - 1}", pool)
        width = min(64 * 2 ** (block - 1), 512)
        for number in range(1, count + 1):
            convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1)
            layers.add_module(f"conv{block}_{number}", convolution)
            layers.add_module(f"relu{block}_{number}", nn.ReLU())
            channels = width
    return layers
