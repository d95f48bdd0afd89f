"""Files that an URL names, by fsspec: what leads to them, and what is wrong with that, in words."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from instyle_core import InputError, InstyleError, first_line

if TYPE_CHECKING:
    from instyle_batch.inputs import Photo

#: So many seconds a host has for its first answer. Later ones have what its library gives them.
PATIENCE_S = 30.0

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

_PASSWORD = re.compile(r"(?<=://)[^/@]*:[^/@]*@")

#: Where an object is there once all of it is. Elsewhere a file grows, and gets its name in the end.
_OBJECT_STORES = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"])


def is_url(text: str) -> bool:
    """Whether a text is an URL such as ``s3://bucket/photos``."""
    return bool(_URL.match(text))


def is_left_out(name: str) -> bool:
    """Whether a file or folder in a folder is none of its photos: hidden, or of a run."""
    return name.startswith(".") or name.endswith(".run")


def joined(place: str, name: str) -> str:
    """A file in a folder or under an URL."""
    if is_url(place):
        return place + name if place.endswith("/") else f"{place}/{name}"
    return os.path.join(place, name)


def place_of(text: str) -> tuple[Any, str]:
    """Where a path or an URL leads to: the same, however it is written.

    Returns:
        The file system of fsspec, None for that of this machine; and the path in it.

    Raises:
        InputError: it is no URL of a known kind.
    """
    files, path = (None, text) if not is_url(text) else opened(text)
    if files is None or "file" in _protocols(files):
        return None, os.path.realpath(path)
    return files, path


def is_inside(text: str, folder: str) -> bool:
    """Whether a path or URL is that of a folder, or of something in it."""
    (files, path), (others, top) = place_of(text), place_of(folder)
    return files == others and f"{path}/".startswith(top if top.endswith("/") else f"{top}/")


def listed(url: str, suffixes: Collection[str]) -> Iterator[Photo]:
    """The photos under an URL, nested ones too, or the one that it names.

    Raises:
        InputError: they cannot be listed.
    """
    with errors_in_words(url):
        files, path = opened(url)
        files.invalidate_cache()
        if first_answer(lambda: files.info(path))["type"] == "file":
            yield path.rsplit("/", 1)[-1], url
            return
        for name in names(files, path, ""):
            if os.path.splitext(name)[1].lower() in suffixes:
                yield name, joined(url, name)


def names(files: Any, path: str, inner: str) -> Iterator[str]:
    """The files under a path, relative to it, in the order of their names.

    Not by fsspec's own `walk`, which passes over folders within that it cannot read.
    """
    entries = {entry["name"].rstrip("/"): entry["type"] for entry in files.ls(path, detail=True)}
    folders = []
    for place in sorted(entries):
        name = place.rsplit("/", 1)[-1]
        # The marker of an empty folder has its name; and `..`, which leads elsewhere, is left out.
        if place == path or is_left_out(name):
            continue
        if entries[place] == "directory":
            folders.append((place, name))
        else:
            yield inner + name
    for place, name in folders:
        yield from names(files, place, f"{inner}{name}/")


def put(files: Any, new: Mapping[str, Path]) -> None:
    """Write files, each whole or not at all."""
    if _protocols(files) & _OBJECT_STORES:
        files.put([str(path) for path in new.values()], list(new))  # several at a time
        return
    for place, path in new.items():
        folder = place.rpartition("/")[0]
        hidden = f"{folder}/.{secrets.token_hex(8)}.part"
        files.makedirs(folder, exist_ok=True)
        try:
            files.put_file(str(path), hidden)
            remove(files, place)  # some rename no file to the name of another
            files.mv(hidden, place)
        except BaseException:
            with suppress(Exception):
                files.rm_file(hidden)
            raise


def remove(files: Any, path: str) -> None:
    """Remove a file if it is there."""
    with suppress(FileNotFoundError):
        files.rm_file(path)


def exists(files: Any, path: str) -> bool:
    """Whether a file is there; fsspec's own `exists` takes any failure for a no."""
    try:
        files.info(path)
    except FileNotFoundError:
        return False
    return True


def _protocols(files: Any) -> set[str]:
    names = files.protocol
    return {names} if isinstance(names, str) else {*names}


def opened(url: str) -> tuple[Any, str]:
    """The file system of an URL, and the path in it.

    Raises:
        InputError: it is no URL of a known kind, or has a password.
    """
    from fsspec.core import url_to_fs

    if "::" in url:
        raise InputError("an URL within another cannot be used", where=url)
    if _PASSWORD.search(url):
        what = "an URL with a password would be written to batch.json"
        hint = "put the password into fsspec's configuration, or an environment variable"
        raise InputError(what, where=_PASSWORD.sub("", url), hint=hint)
    kind = url.partition("://")[0].lower()
    try:
        files, path = url_to_fs(url)
    except ImportError as error:
        hint = "pip install 'instyle[s3]'" if kind in ("s3", "s3a") else first_line(error)
        raise InputError(f"{kind}:// needs a package more", where=url, hint=hint) from error
    except ValueError as error:
        hint = "such as s3://bucket/photos; the package fsspec lists more"
        raise InputError(f"this is no URL: {first_line(error)}", where=url, hint=hint) from error
    return files, path.rstrip("/")


@contextmanager
def errors_in_words(url: str, what: str = "this cannot be read") -> Iterator[None]:
    """Around calls of a file system, which may raise whatever its library raises.

    Raises:
        InputError: what has gone wrong.
    """
    try:
        yield
    except InstyleError:
        raise
    except FileNotFoundError as error:
        hint = "look at the name of the bucket and the rest"
        raise InputError(f"{what}: it is not there", where=url, hint=hint) from error
    except PermissionError as error:
        hint = "look at the credentials, and at what they permit"
        raise InputError(f"{what}: {first_line(error)}", where=url, hint=hint) from error
    except TimeoutError as error:
        why = f"no answer within {PATIENCE_S:g} seconds" if not str(error) else first_line(error)
        hint = "look at the address and the network"
        raise InputError(f"{what}: {why}", where=url, hint=hint) from error
    except Exception as error:
        raise InputError(f"{what}: {first_line(error)}", where=url) from error


def first_answer(ask: Callable[[], Any]) -> Any:
    """What a host answers, if it does.

    Some libraries try again for minutes. They are waited for in a thread of its own, which a
    program that ends does not wait for.

    Raises:
        TimeoutError: it does not.
    """
    answer: Future[Any] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=wait, daemon=True).start()
    return answer.result(PATIENCE_S)
