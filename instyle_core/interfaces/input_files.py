"""Files that parameters name: relative to the spec, checked to be there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo


def existing_file(value: Any, info: ValidationInfo) -> Any:
    """The validator behind `InputFile`."""
    if not isinstance(value, str | Path):
        return value  # pydantic says what is wrong with it
    context = info.context or {}
    path = absolute(value, context.get("folder"))
    if not os.path.isfile(path):
        what = "this is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise ValueError(f"{what}: {path}")
    context.setdefault("inputs", []).append(path)
    return path


def absolute(path: str | Path, folder: Path | None) -> Path:
    """A path of a spec; one that came with ``--set`` knows its own folder."""
    # pathlib's counterparts raise at an unknown ~user and at a link to itself.
    full = os.path.join(getattr(path, "folder", folder) or "", os.path.expanduser(path))
    return Path(os.path.realpath(full))


#: A file that a parameter names: relative to the spec's folder, checked to be there when the spec
#: is validated, and absolute afterwards.
InputFile = Annotated[Path, BeforeValidator(existing_file)]
