"""What a file of a trained network says of itself; its tensors are not read, nor torch imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, Json, ValidationError

from instyle_core import WeightsError

#: The stride of the finest feature map that is scored.
Variant = Literal["32s", "16s", "8s"]

HINT = "use a file that was written by this plugin"


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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return Metadata.model_validate(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"this is no safetensors file, or it is damaged: {error}",
            where=str(path),
            hint="check the path, or get the file again",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise WeightsError(
            f"the file's metadata does not describe a network: {first['loc'][0]}: {first['msg']}",
            where=str(path),
            hint=HINT,
        ) from error
