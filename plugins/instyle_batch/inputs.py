"""The photos that a batch is given: files, folders, patterns and lists, each with a name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from instyle_batch.job import Job
from instyle_batch.urls import is_left_out, is_url, listed
from instyle_core import InputError, InstyleError

#: What is taken from folders, by suffix; a file that is named itself may have any.
_RASTER = ".jpg .jpeg .png .webp .tif .tiff .avif .jp2"
READABLE = frozenset(f"{_RASTER} .jfif .bmp .gif .heic .heif .ppm .pgm".split())

#: Formats that are written as they are read; photos of others are written as PNG.
WRITABLE = frozenset(_RASTER.split())

#: A photo: its name, relative to the folder that it was found in, and its file or URL.
Photo = tuple[str, str]


def photos(given: Iterable[str]) -> Iterator[Photo]:
    """The photos of files, folders, patterns and URLs.

    A file has its own name, those in a folder their place in it: folders are kept as they are
    nested. Hidden files and folders are left out, and so are folders of runs.

    Raises:
        InputError: there is no such file, a folder cannot be read, or nothing fits a pattern.
    """
    for text in given:
        if is_url(text):
            yield from listed(text, READABLE)
        elif os.path.isdir(text):
            yield from in_folder(Path(text))
        elif os.path.lexists(text):
            yield os.path.basename(text), os.path.abspath(text)
        elif glob.has_magic(text):
            top = _fixed(text)
            found = sorted(glob.glob(text, recursive=True))
            names = [_relative(path, top) for path in found if os.path.isfile(path)]
            fitting = [name for name in names if is_photo(name)]
            if not fitting:
                raise InputError("no photo fits this pattern", where=text)
            for name in fitting:
                yield name, os.path.abspath(os.path.join(top, name))
        else:
            raise InputError("there is no such file or folder", where=text)


def in_folder(folder: Path) -> Iterator[Photo]:
    """The photos in a folder and its subfolders, in the order of their names.

    Raises:
        InputError: one of the folders cannot be read.
    """

    def fail(error: OSError) -> None:
        what, hint = f"the folder cannot be read: {error.strerror}", "check its permissions"
        raise InputError(what, where=str(error.filename), hint=hint) from error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not is_left_out(name))
        for name in sorted(files):
            if is_photo(name):
                path = os.path.join(place, name)
                yield _relative(path, str(folder)), os.path.abspath(path)


def is_photo(name: str) -> bool:
    """Whether a file of a folder is taken for a photo, by its name relative to the folder."""
    known = os.path.splitext(name)[1].lower() in READABLE
    return known and not any(map(is_left_out, Path(name).parts))


def _fixed(pattern: str) -> str:
    """The folders of a pattern before the first that is one."""
    parts = Path(pattern).parts
    fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    return os.path.join(*parts[:fixed]) if fixed else "."


def _relative(path: str, folder: str) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def output_name(photo: str) -> str:
    """The name of the picture that is made of a photo: the same, if its format can be written.

    So two photos have two names, whatever else is there: `x.png` and `x.jpg` keep theirs.
    """
    suffix = os.path.splitext(photo)[1].lower()
    return photo if suffix in WRITABLE else f"{photo}.png"


def jobs_of(found: Iterable[Photo], styles: Sequence[str]) -> list[Job]:
    """A job for each photo and style; with styles, each has a folder of its own.

    Raises:
        InputError: two of them would have one output, or two styles one folder.
    """
    folders: dict[str, str] = {}
    for style in styles:
        folder = os.path.splitext(os.path.basename(style))[0]
        if folder in folders:
            what = f"the pictures of two styles would go into one folder '{folder}'"
            raise InputError(what, where=style, hint=f"rename it; the other is {folders[folder]}")
        folders[folder] = style
    places: Iterable[tuple[str, str | None]] = folders.items() or [("", None)]
    made: dict[str, Job] = {}
    for name, photo in found:
        for folder, chosen in places:
            job = Job("/".join(filter(None, (folder, output_name(name)))), photo, chosen)
            other = made.setdefault(job.name, job)
            if other.photo != photo:
                what = f"two photos would have one output '{job.name}'"
                hint = f"rename it, or give the folder that has both; the other is {other.photo}"
                raise InputError(what, where=photo, hint=hint)
    if not made:
        raise InputError("there is no photo", hint=f"those of folders end in {_suffixes()}")
    return [*made.values()]


def _suffixes() -> str:
    return " ".join(sorted(READABLE))


def lines_of(path: str) -> list[str]:
    """The lines of a file, or of standard input for ``-``, that are not empty.

    Raises:
        InputError: it cannot be read.
    """
    import click

    try:
        with click.open_file(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line for line in file.read().splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"this cannot be read: {error.strerror}", where=path) from error


def styles_of(given: Iterable[str]) -> list[str]:
    """The style pictures of files and folders.

    Raises:
        InputError: there is none.
    """
    try:
        found = list(dict.fromkeys(path for _, path in photos(given)))
    except InputError as error:
        raise InputError(f"--styles: {error.what}", where=error.where, hint=error.hint) from error
    if not found:
        raise InstyleError("there is no picture in what --styles names")
    return found
