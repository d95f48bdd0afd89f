"""Feature maps: one forward pass per extractor and step, shared by all losses."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.interfaces import FeatureExtractor, Size


class MaskPyramid:
    """An object's mask at every resolution that is asked for; each is computed once.

    Args:
        mask: float32 (1, 1, H, W), in [0, 1].
    """

    def __init__(self, mask: Tensor) -> None:
        self._mask = mask
        self._levels: dict[Size, Tensor] = {(mask.shape[-2], mask.shape[-1]): mask}

    def __call__(self, size: Sequence[int] | None = None) -> Tensor:
        """The mask averaged over the cells of a feature map: (1, 1, h, w)."""
        height, width = size or self._mask.shape[-2:]
        if (height, width) not in self._levels:
            self._levels[height, width] = F.adaptive_avg_pool2d(self._mask, (height, width))
        return self._levels[height, width]


class PictureView:
    """The `instyle_core.View` that losses get: a picture, its mask and its feature maps."""

    def __init__(
        self, image: Tensor, mask: MaskPyramid, features: Mapping[str, Mapping[str, Tensor]]
    ) -> None:
        self._image = image
        self._mask = mask
        self._features = features

    @property
    def image(self) -> Tensor:
        return self._image

    def mask(self, size: Sequence[int] | None = None) -> Tensor:
        return self._mask(size)

    def features(self, extractor: str, layer: str) -> Tensor:
        return self._features[extractor][layer]


class FeatureStack:
    """The extractors of one stylisation with the layers that its losses read.

    Args:
        extractors: by the names that losses know them by.
        reads: what each loss reads: extractor name to layers.
        device: where to compute.
        precision: of the networks, on devices where it is not float32 by automatic mixed precision;
            feature maps reach the losses in float32 in any case.
    """

    def __init__(
        self,
        extractors: Mapping[str, FeatureExtractor],
        reads: Iterable[Mapping[str, Sequence[str]]],
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._layers: dict[str, list[str]] = {}
        for wanted in reads:
            for name, layers in wanted.items():
                have = self._layers.setdefault(name, [])
                have += [layer for layer in layers if layer not in have]
        self._extractors = {name: extractors[name] for name in self._layers}
        self.device = device
        self._precision = precision

    def view(self, image: Tensor, mask: MaskPyramid) -> PictureView:
        """Run every extractor once on a picture (1, 3, H, W)."""
        mixed = self._precision != torch.float32
        # Channels last is the layout that convolutions in low precision are fastest in.
        batch = image.contiguous(memory_format=torch.channels_last) if mixed else image
        with torch.autocast(self.device.type, self._precision, enabled=mixed):
            features = {
                name: extractor.extract(batch, self._layers[name])
                for name, extractor in self._extractors.items()
            }
        return PictureView(
            image,
            mask,
            {
                name: {layer: _at_least_float32(tensor) for layer, tensor in maps.items()}
                for name, maps in features.items()
            },
        )


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
