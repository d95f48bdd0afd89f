"""The paper's segmentation network: FCN-8s, and the FCN-16s and FCN-32s it is compared with."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_fcn8s.description import Variant
from instyle_training.encoders import IMAGENET_MEAN, IMAGENET_STD

#: The strides of the feature maps that each variant scores, coarse to fine.
STRIDES: dict[Variant, tuple[int, ...]] = {"32s": (32,), "16s": (32, 16), "8s": (32, 16, 8)}


class FCN(nn.Module):
    """A fully convolutional network on any encoder of segmentation-models-pytorch.

    With f_s the encoder's features at stride s, for the variant 8s::

        scores = up_8(score_8(f_8) + up_16(score_16(f_16) + up_32(score_32(f_32))))

    where score_s is a 1x1 convolution to the K classes, and up_s a transposed convolution without
    bias, initialized to bilinear interpolation, to the next stride (the last one to the picture's
    size). Kernel, stride and padding: 4, 2, 1 from 32 to 16 and from 16 to 8; 16, 8, 4 from 8 to 1;
    32, 16, 8 from 16 to 1 (variant 16s); 64, 32, 16 from 32 to 1 (variant 32s).

    Source: Zhao and Zhang, section on segmentation; Long et al. 2015, arXiv:1411.4038.

    Args:
        classes: K names, ``background`` among them.
        encoder: a name that `smp.encoders.get_encoder` knows; `KeyError` for another.
        variant: ``32s``, ``16s`` or ``8s``.
        mean: what to subtract from R, G and B before the encoder; its own training's.
        std: what to divide them by then.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        classes: Sequence[str],
        *,
        encoder: str = "resnet34",
        variant: Variant = "8s",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.encoder_name = encoder
        self.variant: Variant = variant
        # Stored with the weights, so that training and inference use the same.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self.encoder = smp.encoders.get_encoder(encoder, weights=None)
        widths = dict(zip((8, 16, 32), self.encoder.out_channels[-3:], strict=True))
        self.score = nn.ModuleDict()
        self.upsample = nn.ModuleDict()
        strides = STRIDES[variant]
        for stride, following in zip(strides, (*strides[1:], 1), strict=True):
            self.score[str(stride)] = nn.Conv2d(widths[stride], len(classes), 1)
            self.upsample[str(stride)] = bilinear_upsampling(len(classes), stride // following)

    def forward(self, images: Tensor) -> Tensor:
        """Score every pixel.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1], of any size.

        Returns:
            The scores (N, K, H, W), before softmax.
        """
        height, width = images.shape[-2:]
        # The strides divide only multiples of 32. Replicated pixels add no edges.
        padded = F.pad(images, (0, -width % 32, 0, -height % 32), mode="replicate")
        features = self.encoder((padded - self.mean) / self.std)[-3:]
        by_stride = dict(zip((8, 16, 32), features, strict=True))
        scores: Tensor | None = None
        for stride in STRIDES[self.variant]:
            score = self.score[str(stride)](by_stride[stride])
            scores = self.upsample[str(stride)](score if scores is None else scores + score)
        assert scores is not None
        return scores[..., :height, :width]


def bilinear_upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution that starts as bilinear interpolation of each channel.

    The kernel is the tent ``w(i) = 1 - |i - (2 f - 1) / 2| / f``, i = 0 ... 2f - 1, along either
    axis (Long et al. 2015, section 3.3).

    Args:
        channels: in and out.
        factor: f, even: kernel 2f, stride f, padding f / 2.
    """
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)
    tent = 1 - (torch.arange(2 * factor) - (2 * factor - 1) / 2).abs() / factor
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(tent, tent)
    return layer
