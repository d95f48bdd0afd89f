"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

SHIPPED = Weights(
    name="click",
    file="click.safetensors",
    sha256="0" * 64,
    megabytes=6.3,
    license="MIT",
    summary="Interactive segmentation on EfficientNet-Lite0: any object, by a click or a box.",
    package="instyle_click",
)
