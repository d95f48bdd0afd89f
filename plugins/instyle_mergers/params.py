"""The parameters of the mergers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from instyle_core import Params


class HardParams(Params):
    """``hard`` has no parameters."""


class FeatherParams(Params):
    """The parameters of ``feather``."""

    width: float = Field(
        default=6.0,
        ge=0,
        le=500,
        description="Width of the transition from photo to painting, half of it on either side of "
        "the boundary, in pixels of the photo; 0 is a hard edge. For the matte `distance`.",
    )
    matte: Literal["distance", "probability"] = Field(
        default="distance",
        description="What the opacity follows: the distance to the object's boundary, or the "
        "segmentation's probability (such as a soft mask of your own).",
    )
