"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

ANIMALS = Weights(
    name="fcn8s-animals",
    file="fcn8s-animals.safetensors",
    sha256="43b5a7d90b82b80a68bc643a80bcdd1ebb9fc57e2df616323c325391a3c5d7ce",
    megabytes=6.1,
    licence="MIT",
    summary="FCN-8s on EfficientNet-Lite0: cat, cow, dog, horse, person and sheep.",
    package="instyle_fcn8s",
)
