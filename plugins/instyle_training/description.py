"""What a file of a trained network says of itself; its tensors are not read, nor torch imported."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from instyle_core import WeightsError

HINT = "use a file that was written by this plugin"

Description = TypeVar("Description", bound=BaseModel)


def read_description(path: Path, kind: type[Description]) -> Description:
    """The description of a network in its file.

    Args:
        path: a safetensors file.
        kind: what its metadata must be. All values are strings there, so other fields than strings
            are `pydantic.Json`.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, or does not describe such
            a network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return kind.model_validate(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"this is no safetensors file, or it is damaged: {error}",
            where=str(path),
            hint="check the path, or get the file again",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise WeightsError(
            "the file's metadata does not describe a network of this kind: "
            f"{first['loc'][0]}: {first['msg']}",
            where=str(path),
            hint=HINT,
        ) from error
