"""What a feature extractor implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class FeatureExtractor(ABC):
    """A frozen, differentiable network that turns pictures into feature maps."""

    @abstractmethod
    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Compute feature maps, with a gradient to the pictures and none to the weights.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1]; normalizing them is the extractor's own business.
                Under automatic mixed precision the maps may come in a lower precision.
            layers: names out of ``params.layers()``.

        Returns:
            A map (N, C, H / stride, W / stride) for each of the layers.
        """

    @abstractmethod
    def to(self, device: torch.device, dtype: torch.dtype) -> FeatureExtractor:
        """Move to a device and a floating-point type, and return self. (An ``nn.Module`` does.)"""
