"""The weights that ship with instyle."""

from __future__ import annotations

from instyle_core import Weights

SHIPPED = Weights(
    name="click",
    file="click.safetensors",
    sha256="3a648b0eef59dc3f8e1667272b14830c3e2169508a3043782bb9a5e4762df252",
    megabytes=6.4,
    license="MIT",
    summary="Interactive segmentation on EfficientNet-Lite0: any object, by a click or a box.",
    package="instyle_click",
)
