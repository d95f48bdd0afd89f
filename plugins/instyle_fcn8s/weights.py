"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

ANIMALS = Weights(
    name="fcn8s-animals",
    file="fcn8s-animals.safetensors",
    sha256="0" * 64,
    megabytes=7.5,
    licence="MIT",
    summary="FCN-8s on EfficientNet-Lite0: cat, cow, dog, horse, person and sheep.",
    package="instyle_fcn8s",
)
