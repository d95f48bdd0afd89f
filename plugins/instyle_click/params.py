"""The parameters of the segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from instyle_click.description import read_metadata
from instyle_click.weights import SHIPPED
from instyle_core import InputWeights, SegmenterParams, Weights, WeightsError


class ClickParams(SegmenterParams):
    """The parameters of ``click``."""

    weights: InputWeights | None = Field(
        default=None,
        description="File of trained weights (safetensors); those that ship with instyle when left "
        "out.",
    )
    size: int = Field(
        default=384,
        ge=64,
        le=2048,
        description="The longest side that the network sees at each look, in pixels: first of the "
        "photo, or of what is around the box, then of what is around the object.",
    )

    @model_validator(mode="after")
    def _is_of_this_network(self) -> Self:
        if self.weights is not None:
            try:
                read_metadata(self.weights)
            except WeightsError as error:
                raise ValueError(f"{error.what}: {error.where}; {error.hint}") from error
        return self

    def needs(self) -> Sequence[str]:
        return ("point", "box")

    def finds(self) -> Sequence[str]:
        return ("object",)

    def pretrained(self) -> Sequence[Weights]:
        return () if self.weights else (SHIPPED,)
