"""The parameters of the rankers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AliasChoices, Field, model_validator

from instyle_core import RankerParams


class AffinityParams(RankerParams):
    """The parameters of ``affinity``."""

    extractor: str = Field(
        default="vgg19",
        description="Whose feature maps: the name of an extractor, or of an entry of the spec's "
        "`extractors`.",
    )
    layers: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("relu3_1", "relu4_1"),
        description="The layers whose cells are compared, with equal weights: shallow ones for "
        "brushwork, deeper ones for larger shapes.",
    )
    features: float = Field(
        default=1.0,
        ge=0,
        le=1e6,
        description="Weight of the distance of the features, which is 0 for the object itself and "
        "1 where nothing is like it; 0 leaves the network out.",
    )
    color: float = Field(
        default=0.005,
        validation_alias=AliasChoices("color", "colour"),
        ge=0,
        le=1e6,
        description="Weight of the distance of the colors, for each unit of CIELAB (Delta E). "
        "With the default, both distances vary about equally among paintings; a larger one prefers "
        "the object's colors, a smaller one its shapes.",
    )

    @model_validator(mode="after")
    def _some_weight(self) -> AffinityParams:
        if not (self.features or self.color):
            raise ValueError("both weights are 0; give at least one above 0")
        return self

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: self.layers} if self.features else {}
