"""A folder of style pictures, as a spec names it with ``choose_from``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from instyle_core.errors import InputError
from instyle_core.interfaces.input_files import spec_path
from instyle_core.interfaces.messages import shown

#: The suffixes of formats that can be read, in lower case.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpx"),
)


@dataclass(frozen=True)
class StyleFolder:
    """A folder, and the pictures that were in it when the spec was checked.

    Attributes:
        path: the folder, absolute.
        pictures: at least one file directly in it that has the suffix of a picture, sorted by
            name. Hidden files are left out. Whether they can be read is not known yet.
    """

    path: Path
    pictures: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> StyleFolder:
        """List the pictures of a folder.

        Raises:
            InputError: it is missing, is not a folder, cannot be read, or has no pictures in it.
        """
        where = str(path)
        if not os.path.isdir(path):
            there = os.path.exists(path)
            what = "this is a file, not a folder" if there else "there is no such folder"
            hint = "for one picture, leave out `choose_from`" if there else None
            raise InputError(what, where=where, hint=hint)
        try:
            files = sorted(path.iterdir(), key=lambda file: file.name)
        except OSError as error:
            what = f"the folder cannot be read: {error.strerror or error}"
            raise InputError(what, where=where, hint="check its permissions") from error
        pictures = tuple(file for file in files if _looks_like_a_picture(file))
        if not pictures:
            what = "the folder is empty"
            if files:
                what = "there are no pictures in this folder (subfolders are not searched)"
            hint = f"put style pictures into it; their names end in {', '.join(SUFFIXES)}"
            raise InputError(what, where=where, hint=hint)
        return cls(path, pictures)


def _looks_like_a_picture(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return not hidden and file.suffix.lower() in SUFFIXES and not os.path.isdir(file)


def _style_folder(value: Any, info: ValidationInfo) -> StyleFolder:
    if isinstance(value, StyleFolder):
        return value
    if not isinstance(value, str | Path):
        raise ValueError(f"should be the name of a folder; it is {shown(value)}")
    context = info.context or {}
    try:
        folder = StyleFolder.open(spec_path(value, info))
    except InputError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise ValueError(f"{error.what}: {error.where}{hint}") from error
    # A file that cannot be read is no input: it is reported when the pictures are compared.
    readable = [file for file in folder.pictures if file.is_file() and os.access(file, os.R_OK)]
    context.setdefault("inputs", []).extend(readable)
    context.setdefault("style_folders", []).append(folder.path)
    return folder


#: The type of a parameter that names a folder of pictures, as `instyle_core.InputFile` does a file.
#: The pictures count as files that the spec reads.
InputFolder: TypeAlias = Annotated[
    StyleFolder,
    PlainValidator(_style_folder),
    PlainSerializer(lambda folder: str(folder.path), return_type=str),
    WithJsonSchema({"type": "string", "format": "directory-path"}),
]
