"""What a file of a trained `FCN` says of itself; its tensors are not read, nor torch imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, Json

from instyle_training.description import read_description

#: The stride of the finest feature map that is scored.
Variant = Literal["32s", "16s", "8s"]


class Metadata(BaseModel):
    """The description of a network in its file; all values are strings there.

    Attributes:
        classes: their names, ``background`` first.
        encoder: as segmentation-models-pytorch calls it.
        variant: ``32s``, ``16s`` or ``8s``.
        training: how it was trained: recipe, data, scores, and the SHA-256 of the list of photos.
    """

    classes: Json[list[str]] = Field(min_length=2)
    encoder: str
    variant: Variant
    training: Json[dict[str, Any]] = Field(default_factory=dict)


def read_metadata(path: Path) -> Metadata:
    """The description of a network in its file.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, or does not describe its
            network.
    """
    return read_description(path, Metadata)
