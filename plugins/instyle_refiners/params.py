"""The parameters of the refiners."""

from __future__ import annotations

from pydantic import Field

from instyle_core import Params


class GuidedParams(Params):
    """The parameters of ``guided``."""

    radius: float = Field(
        default=0.02,
        gt=0,
        le=0.25,
        description="Reach of the filter, as a fraction of the photo's longer side: how far off "
        "the segmenter's edge may be.",
    )
    epsilon: float = Field(
        default=1e-4,
        gt=0,
        le=1,
        description="Variance of colors, which are in [0, 1], below which there is no edge.",
    )


class GrabCutParams(Params):
    """The parameters of ``grabcut``."""

    sure: float = Field(
        default=0.9,
        gt=0.5,
        lt=1,
        description="Pixels whose probability is at least this, or at most 1 minus this, are left "
        "as they are.",
    )
    iterations: int = Field(
        default=3, ge=1, le=50, description="How often colors are learned and the mask is cut."
    )


class MattingParams(Params):
    """The parameters of ``matting``."""

    band: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="How far hair may reach beyond the segmenter's edge, and how far that may be "
        "off, as a fraction of the object's size (the square root of its area).",
    )
    sure: float = Field(
        default=0.7,
        gt=0.5,
        lt=1,
        description="Pixels whose probability is below this and above 1 minus this are decided "
        "anew, even far from the segmenter's edge.",
    )
