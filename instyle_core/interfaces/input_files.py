"""Files that parameters name: relative to the spec, checked to be there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo


def existing_file(value: Any, info: ValidationInfo) -> Any:
    """The validator behind `InputFile`, for validators of your own.

    Raises:
        ValueError: there is no such file.
    """
    if not isinstance(value, str | Path):
        return value  # pydantic says what is wrong with it
    path = spec_path(value, info)
    if not os.path.isfile(path):
        if str(value) == "-":
            raise ValueError("'-' is standard input only as the content of `instyle pipeline`")
        what = "this is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise ValueError(f"{what}: {path}")
    if info.context is not None:
        info.context.setdefault("inputs", []).append(path)
    return path


def spec_path(value: str | Path, info: ValidationInfo) -> Path:
    """The absolute path that a parameter names, relative to the spec's folder; for validators.

    It may be that of a file or a folder, and need not exist.
    """
    return absolute(value, (info.context or {}).get("folder"))


def absolute(path: str | Path, folder: Path | None) -> Path:
    """A path of a spec; one that came with ``--set`` knows its own folder."""
    # pathlib's counterparts raise at an unknown ~user and at a link to itself.
    full = os.path.join(getattr(path, "folder", folder) or "", os.path.expanduser(path))
    return Path(os.path.realpath(full))


#: A file that a parameter names: relative to the spec's folder, checked to be there when the spec
#: is validated, and absolute afterwards.
InputFile = Annotated[Path, BeforeValidator(existing_file)]


@dataclass(frozen=True)
class Holds:
    """Marks a parameter with what its file has to hold; that is checked before a run begins."""

    what: Literal["picture", "weights"]


#: An `InputFile` that is a picture of a format that instyle reads.
InputPicture = Annotated[Path, BeforeValidator(existing_file), Holds("picture")]

#: An `InputFile` that `instyle_core.read_state_dict` can read: of safetensors or of torch.
InputWeights = Annotated[Path, BeforeValidator(existing_file), Holds("weights")]
