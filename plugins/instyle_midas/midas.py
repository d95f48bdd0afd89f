"""A depth network as a feature extractor."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import FeatureExtractor
from instyle_midas.network import folder_of, load, try_out
from instyle_midas.params import LAYER, MidasParams


class Midas(nn.Module, FeatureExtractor):
    """Inverse relative depth, frozen: the larger a value, the nearer what is seen there.

    The layer ``depth`` is ``a / z + b`` with the distance z from the camera and unknown numbers
    a > 0 and b: they differ from picture to picture and from network to network, so that the values
    have no unit. DPT-Hybrid's are about a hundred times DPT-Large's.

    Gradients reach the pixels, through the resizing for the network too.

    Source: Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation" (MiDaS); Ranftl et al.
    2021, "Vision Transformers for Dense Prediction" (DPT); Yang et al. 2024, "Depth Anything V2".

    Raises:
        WeightsError: the network cannot be downloaded or loaded.
    """

    def __init__(self, params: MidasParams) -> None:
        super().__init__()
        folder = folder_of(params)
        self.network, self._preprocessing = load(folder)
        if os.path.isabs(params.model):  # published networks are known to work
            try_out(self.network, self._preprocessing, folder)

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Predict the depth.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1].
            layers: ``depth``, or nothing.

        Returns:
            The map (N, 1, H, W), resampled from the size that the network predicts.
        """
        depth = self.network(self._preprocessing(images)).predicted_depth[:, None]
        size = images.shape[-2:]
        # Not every device can resample in half precision.
        depth = F.interpolate(depth.to(images.dtype), size, mode="bicubic", antialias=True)
        return {layer: depth for layer in layers if layer == LAYER}
