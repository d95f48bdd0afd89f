"""The parameters of the segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

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
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.25, le=4)], ...], Field(min_length=1, max_length=8)
    ] = Field(
        default=(0.75, 1.0, 1.33),
        description="The sizes at which the network looks at the picture, as factors of `size`, or "
        "of the picture's longest side if that is shorter; the mean counts. `[1]` is three times "
        "as fast as the default.",
    )
    prior: float = Field(
        default=1.0,
        ge=0,
        le=4,
        description="How much surer the network must be of classes that cover little of the "
        "picture, so that parts of one animal are not taken for others; 0: no surer.",
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
