"""Files that parameters name: relative to the spec, checked to be there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

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
