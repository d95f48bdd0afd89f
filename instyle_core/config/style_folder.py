"""A folder of style pictures that one is chosen from, as a spec names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from instyle_core.errors import InputError
from instyle_core.interfaces.input_files import spec_path
from instyle_core.interfaces.messages import shown

#: Of the formats that pictures are read from, in lower case.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)


@dataclass(frozen=True)
class StyleFolder:
    """A folder with the pictures that lay in it when it was looked into.

    Attributes:
        path: the folder, absolute.
        pictures: the files directly in it whose suffix is a picture's, by name, at least one.
            Hidden ones are passed over. Whether they can be read is not known yet.
    """

    path: Path
    pictures: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> StyleFolder:
        """Look into a folder.

        Raises:
            InputError: it is not there, is no folder, may not be read or has no pictures in it.
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
                what = "there are no pictures in this folder (those in folders within do not count)"
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
    # One that cannot be read is reported when the pictures are compared, and never used.
    readable = [file for file in folder.pictures if file.is_file() and os.access(file, os.R_OK)]
    context.setdefault("inputs", []).extend(readable)
    context.setdefault("style_folders", []).append(folder.path)
    return folder


#: A folder that a parameter names, as `instyle_core.InputFile` is a file. Its pictures are among
#: the files that the spec reads.
InputFolder: TypeAlias = Annotated[
    StyleFolder,
    PlainValidator(_style_folder),
    PlainSerializer(lambda folder: str(folder.path), return_type=str),
    WithJsonSchema({"type": "string", "format": "directory-path"}),
]
