"""What a file of weights says of its network; its tensors are not read, nor torch imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, Json

from instyle_training.description import read_description


class Metadata(BaseModel):
    """The description of a `ClickNet` in its file; all values are strings there.

    Attributes:
        network: ``click``, so that no other network's file is taken for one.
        encoder: as segmentation-models-pytorch calls it.
        training: how it was trained: recipe, data, scores, and the SHA-256 of the list of photos.
    """

    network: Literal["click"]
    encoder: str
    training: Json[dict[str, Any]] = Field(default_factory=dict)


def read_metadata(path: Path) -> Metadata:
    """The description of a network in its file.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, or does not describe a
            `ClickNet`.
    """
    return read_description(path, Metadata)
