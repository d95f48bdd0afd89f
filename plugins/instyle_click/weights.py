"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

SHIPPED = Weights(
    name="click",
    file="click.safetensors",
    sha256="f3429a3c7f4dc9ba34755947488d61a429e5591d116d717291eaa8c721bde98a",
    megabytes=6.4,
    license="MIT",
    summary="Interactive segmentation on EfficientNet-Lite0: any object, by a click or a box.",
    package="instyle_click",
)
