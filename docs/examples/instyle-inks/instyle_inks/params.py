"""The parameters of ``inks``."""

from __future__ import annotations

from instyle_core import LossParams
from pydantic import Field


class InksParams(LossParams):
    """The parameters of ``inks``. It reads no feature maps, only pixels."""

    lightness: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How much lightness counts beside hue and saturation; at 0, light and shade are "
        "left to the other losses.",
    )
    spread: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="How much the spread of the colors counts beside their mean; at 0, only the "
        "mean is compared.",
    )
