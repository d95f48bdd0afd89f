"""The parameters of ``salient``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Self

from pydantic import Field, model_validator

from instyle_core import InputFile, SegmenterParams, Weights
from instyle_salient.models import MODELS, Name


class SalientParams(SegmenterParams):
    """The parameters of ``salient``."""

    model: Name = Field(
        default="u2netp",
        description="The network, which is downloaded: `u2netp` (4.6 MB; sees 320x320 pixels), "
        "`isnet-general-use` (179 MB) or `birefnet-general-lite` (224 MB; both see 1024x1024).",
    )
    weights: InputFile | None = Field(
        default=None,
        description="Your own ONNX file of such a network, which gets its pictures as `model` "
        "does: one input of the form 1x3xHxW, and first among the outputs the mask, 1x1xHxW.",
    )

    @model_validator(mode="after")
    def _onnxruntime(self) -> Self:
        # Checked here, and not by importing it later, so that nothing is downloaded in vain.
        if find_spec("onnxruntime") is None:
            record = MODELS[self.model].weights
            then = (
                ""
                if self.weights
                else f"; after that, `instyle models pull {record.name}` downloads "
                f"{record.megabytes:g} MB"
            )
            raise ValueError(
                "`salient` needs the package onnxruntime, which is not installed: "
                f"pip install 'instyle[salient]'{then}"
            )
        return self

    def pretrained(self) -> Sequence[Weights]:
        return () if self.weights else (MODELS[self.model].weights,)

    def finds(self) -> Sequence[str]:
        return ("object",)
