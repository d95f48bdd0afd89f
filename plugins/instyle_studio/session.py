"""The folder of a session: what was uploaded, masks and runs. There is no other state.

    photos/ID/{file.EXT, about.json, shown.webp}  the upload byte for byte, and as the page shows it
    styles/ID/...                                 likewise
    masks/ID/{mask.png, about.json}               gray, of the photo's size
    runs/ID/...                                   see `runs`
    thumbnails/ID.webp, shown/ID.webp             of pictures in the folders of the command line

A folder is made under a hidden name and renamed when it is complete. So whatever kills the server,
everything that has an ID is whole.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instyle_core import InputError, StyleFolder, atomic_write, read_header
from instyle_studio.errors import not_found

ID = re.compile("[0-9a-f]{16}")

KINDS = ("photos", "styles", "masks", "runs")

#: The suffix of a file by the format of its content, whatever it was called.
_SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
    "PPM": ".ppm",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "JPEG2000": ".jp2",
}


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        upload_bytes: of a picture's file.
        megapixels: of a picture, in 10^6 pixels, by its header.
        json_bytes: of JSON and YAML.
        seconds: to wait for the next bytes of a request's body.
        shown: the long side, in pixels, of pictures as the page shows them.
        thumbnail: the long side of thumbnails.
    """

    upload_bytes: int = 200_000_000
    megapixels: float = 100.0
    json_bytes: int = 1_000_000
    seconds: float = 20.0
    shown: int = 1600
    thumbnail: int = 320


@dataclass(frozen=True)
class Item:
    """A photo, a style or a mask.

    Attributes:
        id: of it.
        path: the file at full resolution.
        shown: where the page's version of it is, or will be.
        thumbnail: likewise; of a style.
        about: ``id``, ``name``, ``width`` and ``height``; more for a mask.
    """

    id: str
    path: Path
    shown: Path
    thumbnail: Path
    about: Mapping[str, Any]


class Session:
    """The folder of a session.

    Args:
        root: the folder; it is made if it is missing.
        folders: of style pictures, absolute.
        megapixels: larger pictures, in 10^6 pixels, are refused.

    Raises:
        InputError: it cannot be made or written to.
    """

    def __init__(self, root: Path, folders: Sequence[Path] = (), megapixels: float = 100.0) -> None:
        self.root = Path(os.path.realpath(root))
        self.folders = {_id_of(folder): folder for folder in folders}
        self.megapixels = megapixels
        self._headers: dict[tuple[str, int, int], tuple[int, int] | None] = {}
        try:
            for name in (*KINDS, "thumbnails", "shown", "scratch"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
                for path in (self.root / name).glob(".*"):  # what a killed server has left
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            what = f"the folder of the session cannot be used: {error.strerror or error}"
            raise InputError(what, where=str(root), hint="choose another with --session") from error

    @contextmanager
    def making(self, kind: str) -> Iterator[tuple[str, Path]]:
        """Give a new ID, and a hidden folder that becomes that of the ID if the block ends well."""
        identity = secrets.token_hex(8)
        hidden = self.root / kind / f".{identity}"
        hidden.mkdir()
        try:
            yield identity, hidden
            os.replace(hidden, self.root / kind / identity)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder that is removed when the block ends."""
        folder = self.root / "scratch" / f".{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def describe(self, path: Path, name: str) -> tuple[str, dict[str, Any]]:
        """The suffix of a picture's file, and what is told of it.

        Raises:
            InputError: it is no picture that can be read, by its header, or too large.
        """
        header = read_header(path, self.megapixels)
        height, width = header.size
        about = {"name": name, "width": width, "height": height, "added": time.time()}
        return _SUFFIXES.get(header.format, ".img"), about

    def add(self, kind: str, path: Path, name: str) -> Item:
        """Copy a picture into the session, unless it is there.

        Raises:
            InputError: it cannot be read.
        """
        suffix, about = self.describe(path, name)
        for item in self.items(kind):
            if item.about.get("name") == name and filecmp.cmp(item.path, path, shallow=False):
                return item
        with self.making(kind) as (identity, folder):
            shutil.copyfile(path, folder / f"file{suffix}")
            write_about(folder, {"id": identity, **about})
        return self.item(kind, identity)

    def item(self, kind: str, identity: str) -> Item:
        """A photo, a style or a mask.

        Raises:
            Refused: there is none of this ID.
        """
        if ID.fullmatch(identity):
            folder = self.root / kind / identity
            for path in folder.glob("mask.png" if kind == "masks" else "file.*"):
                names = ("shown.png", "") if kind == "masks" else ("shown.webp", "thumbnail.webp")
                shown, thumbnail = (folder / name for name in names)
                return Item(identity, path, shown, thumbnail, read_about(folder))
            if kind == "styles":
                for item in self._of_folders():
                    if item.id == identity:
                        return item
        raise not_found({"photos": "photo", "styles": "style", "masks": "mask"}[kind])

    def items(self, kind: str) -> list[Item]:
        """All photos, styles or masks, in the order in which they came; then those of folders."""
        found = [self.item(kind, path.name) for path in self._own(kind)]
        found.sort(key=lambda item: item.about.get("added", 0))
        return found + (list(self._of_folders()) if kind == "styles" else [])

    def _own(self, kind: str) -> list[Path]:
        folder = self.root / kind
        return [path for path in folder.iterdir() if ID.fullmatch(path.name)]

    def _of_folders(self) -> Iterator[Item]:
        for folder in self.folders.values():
            pictures: Sequence[Path] = ()
            with suppress(InputError):  # it was emptied or removed
                pictures = StyleFolder.open(folder).pictures
            for path in pictures:
                size = self._size(path)
                if size is None or not self.may_read(path):
                    continue
                identity = _id_of(path)
                about = {"id": identity, "name": path.name, "width": size[1], "height": size[0]}
                names = (f"{name}/{identity}.webp" for name in ("shown", "thumbnails"))
                shown, thumbnail = (self.root / name for name in names)
                yield Item(identity, path, shown, thumbnail, {**about, "folder": True})

    def _size(self, path: Path) -> tuple[int, int] | None:
        """(height, width) of a picture in a folder; None if it cannot be read."""
        try:
            status = path.stat()
        except OSError:
            return None
        key = (str(path), status.st_mtime_ns, status.st_size)
        if key not in self._headers:
            self._headers[key] = None
            with suppress(InputError):
                self._headers[key] = read_header(path, self.megapixels).size
        return self._headers[key]

    def may_read(self, path: Path) -> bool:
        """Whether a spec may read a file: it is in the session or in a folder of the user.

        Links are followed first, so that none leads out.
        """
        real = Path(os.path.realpath(path))
        allowed = (self.root, *(Path(os.path.realpath(f)) for f in self.folders.values()))
        return any(real.is_relative_to(folder) for folder in allowed)


def _id_of(path: Path) -> str:
    """The ID of a file or folder of the user: the same in each session."""
    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write ``about.json``, whole or not at all."""
    with atomic_write(folder / "about.json") as temporary:
        temporary.write_text(json.dumps(about), encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """The content of ``about.json``; nothing if that is damaged."""
    with suppress(OSError, ValueError):
        found = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}
