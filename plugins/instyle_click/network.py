"""The network of ``click``: a small encoder that is told the points halfway, and a decoder."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import segmentation_models_pytorch as smp
import torch
from timm.models import is_model_in_modules
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_training.encoders import IMAGENET_MEAN, IMAGENET_STD

#: The maps that say what is meant: points on the object, points that are not, the box, and the mask
#: so far.
MAPS = 4

#: Channels of the decoder.
_WIDTH = 64


def fits(encoder: str) -> bool:
    """Whether an encoder of segmentation-models-pytorch is one of timm's EfficientNets."""
    name = encoder.removeprefix("tu-")
    return name != encoder and bool(is_model_in_modules(name, {"efficientnet"}))


class ClickNet(nn.Module):
    """Tells the object that is meant from everything else.

    The first layers see the photo alone. At stride 4, where their features are f_4, they are told
    the maps m, and the encoder goes on with ``f_4 + conv(relu(conv(m)))`` to strides 8, 16 and 32.
    The decoder is a feature pyramid (up is bilinear)::

        x_32 = conv(f_32) + conv(mean(f_32)),  x_s = block_s(up(x_2s) + conv(f_s)), s = 16, 8, 4

    where a block is a 3x3 convolution with batch normalization and ReLU. The logits are a 1x1
    convolution of ``x_4``, enlarged to the picture's size.

    Sources: Sofiiuk et al. 2021, Reviving Iterative Training with Mask Guidance, arXiv:2102.06583,
    for the maps and the mask so far; Lin et al. 2017, Feature Pyramid Networks, arXiv:1612.03144.

    Args:
        encoder: as segmentation-models-pytorch calls it; one that `fits`.
        mean: what to subtract from R, G and B before the encoder; its own training's.
        std: what to divide them by then.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        encoder: str = "tu-tf_efficientnet_lite0",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.encoder_name = encoder
        # Stored with the weights, so that training and inference use the same.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self.encoder = smp.encoders.get_encoder(encoder, weights=None)
        widths = self.encoder.out_channels[-4:]
        # How many stages there are until the features of stride 4, 8, 16 and 32.
        modules = [info["module"] for info in self.encoder.model.feature_info.info[-4:]]
        self._stages = [1 + int(name.removeprefix("blocks.")) for name in modules]
        self.maps = nn.Sequential(
            nn.Conv2d(MAPS, 16, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, widths[0], 3, stride=2, padding=1),
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, _WIDTH, 1) for width in widths)
        self.context = nn.Conv2d(widths[-1], _WIDTH, 1)
        self.blocks = nn.ModuleList(_block(_WIDTH) for _ in widths[:-1])
        self.score = nn.Conv2d(_WIDTH, 1, 1)
        self.train()

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """Score every pixel.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1], of any size.
            maps: (N, 4, H, W), in [0, 1]; see `MAPS`.

        Returns:
            The logits (N, 1, H, W) of the object.
        """
        height, width = images.shape[-2:]
        return self.decode(self.look(images), maps)[..., :height, :width]

    def look(self, images: Tensor) -> Tensor:
        """The features of the photo alone, at stride 4, by which every click starts.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1].
        """
        layers: Any = self.encoder.model
        seen = layers.bn1(layers.conv_stem(_padded((images - self.mean) / self.std)))
        return layers.blocks[: self._stages[0]](seen)

    def looking(self) -> Iterator[nn.Parameter]:
        """The weights of `look`."""
        layers: Any = self.encoder.model
        for part in (layers.conv_stem, layers.bn1, layers.blocks[: self._stages[0]]):
            yield from part.parameters()

    def train(self, mode: bool = True) -> ClickNet:
        """Set the decoder to training; the encoder keeps the statistics that it came with."""
        super().train(mode)
        self.encoder.eval()
        return self

    def decode(self, features: Tensor, maps: Tensor) -> Tensor:
        """The logits, of a multiple of 32 pixels; those beyond the picture mean nothing.

        Args:
            features: of `look`.
            maps: see `forward`.
        """
        stages: Any = self.encoder.model.blocks
        found = [features + self.maps(_padded(maps))]
        for first, last in pairwise(self._stages):
            found.append(stages[first:last](found[-1]))
        x = self.lateral[-1](found[-1]) + self.context(found[-1].mean(dim=(2, 3), keepdim=True))
        for number in (2, 1, 0):
            up = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = self.blocks[number](up + self.lateral[number](found[number]))
        return F.interpolate(self.score(x), scale_factor=4, mode="bilinear")


def _padded(planes: Tensor) -> Tensor:
    """With sides that the strides divide: multiples of 32. Replicated pixels add no edges."""
    height, width = planes.shape[-2:]
    return F.pad(planes, (0, -width % 32, 0, -height % 32), mode="replicate")


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
