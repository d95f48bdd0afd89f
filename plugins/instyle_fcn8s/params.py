"""The parameters of the segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from instyle_core import InputWeights, SegmenterParams, Weights, WeightsError
from instyle_fcn8s.description import Variant, read_metadata
from instyle_fcn8s.weights import ANIMALS, CLASSES


class FCN8sParams(SegmenterParams):
    """The parameters of ``fcn8s``."""

    weights: InputWeights | None = Field(
        default=None,
        description="File of trained weights (safetensors) that also describes the network and its "
        "classes; those that ship with instyle when left out.",
    )
    encoder: str | None = Field(
        default=None,
        description="The encoder that the file must be of, such as `resnet34`; any when left out.",
    )
    variant: Variant | None = Field(
        default=None, description="The variant that the file must be of; any when left out."
    )
    mirror: bool = Field(
        default=True,
        description="Whether to look at the mirrored picture too and take the mean, which finds "
        "more and takes twice the time.",
    )
    size: int = Field(
        default=512,
        ge=32,
        le=8192,
        description="The longest side that the network sees, in pixels; a longer picture is shrunk "
        "for it, and the probabilities are enlarged again.",
    )

    @model_validator(mode="after")
    def _is_of_this_network(self) -> Self:
        if self.weights is None:
            return self
        try:
            file = read_metadata(self.weights)
        except WeightsError as error:
            raise ValueError(f"{error.what}: {error.where}; {error.hint}") from error
        for name in ("encoder", "variant"):
            wanted, actual = getattr(self, name), getattr(file, name)
            if wanted not in (None, actual):
                raise ValueError(
                    f"the weights are of the {name} {actual}, not {wanted}; leave `{name}` out, or "
                    f"set it to {actual}: {self.weights}"
                )
        return self

    def finds(self) -> Sequence[str]:
        names = read_metadata(self.weights).classes if self.weights else CLASSES
        return [name for name in names if name != "background"]

    def pretrained(self) -> Sequence[Weights]:
        return () if self.weights else (ANIMALS,)

    @classmethod
    def refiner(cls) -> str:
        return "grabcut"  # docs/results.md has the figures
