"""The parameters of the segmenters."""

from __future__ import annotations

from pydantic import Field

from instyle_core import InputFile, Params


class MaskParams(Params):
    """The parameters of ``mask``."""

    path: InputFile = Field(
        description="The mask: a PNG or another picture file of any size, white where the object "
        "is. Grey is a soft edge; the object's pixels are those above one half."
    )
    invert: bool = Field(default=False, description="Whether the object is black instead.")


class GrabCutParams(Params):
    """The parameters of ``grabcut``."""

    iterations: int = Field(
        default=5,
        ge=1,
        le=50,
        description="How many times colours are learnt and the picture is cut by turns.",
    )
