"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

ANIMALS = Weights(
    name="fcn8s-animals",
    file="fcn8s-animals.safetensors",
    sha256="cca3f13c45e497891e81435f49c86257cfd6560654da732a82be5dd3a00bc4bb",
    megabytes=6.1,
    license="MIT",
    summary="FCN-8s on EfficientNet-Lite0: cat, cow, dog, horse, person and sheep.",
    package="instyle_fcn8s",
)

#: What these weights find.
CLASSES = ("cat", "cow", "dog", "horse", "person", "sheep")
