"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

ANIMALS = Weights(
    name="fcn8s-animals",
    file="fcn8s-animals.safetensors",
    sha256="da79db37ff85abb66f7bcf724a5f3dc9a08acf4fcc7e5ebb169f729777405303",
    megabytes=6.1,
    license="MIT",
    summary="FCN-8s on EfficientNet-Lite0: cat, cow, dog, horse, person and sheep.",
    package="instyle_fcn8s",
)

#: What these weights find.
CLASSES = ("cat", "cow", "dog", "horse", "person", "sheep")
