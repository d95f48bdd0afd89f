"""VGG-19 with few channels, what it is given, and what it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.testing import disc, picture
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19


def narrow(*, channels: int = 4, dtype: torch.dtype = torch.float64, **params: Any) -> VGG19:
    """VGG-19 with all its layers and few channels, random, so that float64 is cheap."""
    network = VGG19(VGG19Params(**params))
    generator = torch.Generator().manual_seed(0)
    before = 3
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            weight = torch.randn(channels, before, 3, 3, generator=generator, dtype=dtype)
            bias = torch.randn(channels, generator=generator, dtype=dtype)
            layer.weight = nn.Parameter(weight * (2 / weight[0].numel()) ** 0.5, False)
            layer.bias = nn.Parameter(0.1 * bias, False)
            before = channels
    return network.to(torch.device("cpu"), dtype)


class Recording(FeatureExtractor):
    """Runs another extractor, and remembers the sizes of what it is given."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.sizes: list[tuple[int, ...]] = []

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.sizes.append(tuple(images.shape[-2:]))
        return self._extractor.extract(images, layers)

    def to(self, device: torch.device, dtype: torch.dtype) -> Recording:
        return self


def soft(height: int, width: int) -> Tensor:
    """An object that leaves cells of every size partly covered, and some empty."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(1, 1, height, width, generator=generator, dtype=torch.float64)
    return noise * disc(height, width, radius=0.6).decision[None]


def image_of(size: tuple[int, int], seed: int) -> Tensor:
    """With noise, to which every cell answers: (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(3, *size, generator=generator, dtype=torch.float64)
    return (0.7 * picture(*size, seed=seed).double() + 0.3 * noise)[None]
