"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

SHIPPED = Weights(
    name="click",
    file="click.safetensors",
    sha256="b4f94fb212703537d4c1615e5d540c5fb0f7f401a69421ab467e00abf499fc9f",
    megabytes=6.4,
    license="MIT",
    summary="Interactive segmentation on EfficientNet-Lite0: any object, by a click or a box.",
    package="instyle_click",
)
