"""The parameters of the segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from instyle_core import InputFile, SegmenterParams, Weights
from instyle_fcn8s.weights import ANIMALS

#: The stride of the finest feature map that is scored.
Variant = Literal["32s", "16s", "8s"]


class FCN8sParams(SegmenterParams):
    """The parameters of ``fcn8s``."""

    weights: InputFile | None = Field(
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

    def pretrained(self) -> Sequence[Weights]:
        return () if self.weights else (ANIMALS,)

    @classmethod
    def refiner(cls) -> str:
        return "grabcut"  # docs/results.md has the figures
