"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

SHIPPED = Weights(
    name="click",
    file="click.safetensors",
    sha256="44c722846cb775adce6e999d97637b56ad79dbef41d8b704682c4bf0925f54cb",
    megabytes=6.4,
    license="MIT",
    summary="Interactive segmentation on EfficientNet-Lite0: any object, by a click or a box.",
    package="instyle_click",
)
