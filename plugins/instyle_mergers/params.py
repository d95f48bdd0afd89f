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


class MultibandParams(Params):
    """The parameters of ``multiband``."""

    levels: int = Field(
        default=3,
        ge=0,
        le=8,
        description="How often the picture is halved: the coarsest structure is blended over about "
        "2^levels pixels of the photo to either side; 0 is a hard edge.",
    )


class MRFParams(Params):
    """The parameters of ``mrf``."""

    band: float = Field(
        default=0.05,
        gt=0,
        le=0.5,
        description="How far from the object's boundary the seam may run, as a fraction of the "
        "object's size (the square root of its area); from 3 to 24 pixels of the photo.",
    )
    smoothness: float = Field(
        default=12.0,
        ge=0,
        le=1000,
        description="Weight of a seam that is hard to see against one that follows the mask; 0 "
        "follows the mask.",
    )
    width: float = Field(
        default=4.0,
        ge=0,
        le=500,
        description="Width of the transition from photo to painting across the seam, in pixels of "
        "the photo; 0 is a hard edge.",
    )
