"""Files of repositories on the Hugging Face hub: weights and descriptions of networks."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from instyle_core.errors import InstyleError, WeightsError, first_line
from instyle_core.files import sha256_of, write_atomically
from instyle_core.weights.cache import cache_folder, forbidden_by
from instyle_core.weights.connection import hint_for, suspects
from instyle_core.weights.download import OnProgress, by_hand, download, not_as_published
from instyle_core.weights.record import Weights

_HASH = re.compile("[0-9a-f]{64}|[0-9a-f]{40}")

#: The end of the name of the hidden file that holds the hash of a file.
_NOTE = ".hash"


def fetch_from_hub(
    repository: str, file: str, revision: str = "main", *, on_progress: OnProgress | None = None
) -> Path:
    """A file of a repository, downloaded if it is not in the cache yet, and hashed.

    The hub tells the hash of a file beforehand: the SHA-256 of a large file, git's blob id of a
    small one. A file with another hash is refused. The hash is kept beside the file, so that a file
    that was damaged later is downloaded again; one that was saved by hand is taken as it is.
    ``HF_ENDPOINT`` names another hub. The user's token is shown to the hub alone.

    Args:
        repository: such as ``smp-hub/resnet34.imagenet``.
        file: its path there.
        revision: commit, tag or branch; a branch is not looked up again once it is cached.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be downloaded or stored, or has another hash.
    """
    target = cache_folder() / _place(repository, file, revision)
    state = f"{file} of '{repository}' is not downloaded"
    if os.path.isfile(target):
        if is_as_told(target):
            return target
        state = f"{file} of '{repository}' has not the hash that {_note(target).name} tells"
    source = _url(repository, file, revision)
    otherwise = f"get {source} by other means, and save it as {target}"
    if variable := forbidden_by():
        raise WeightsError(
            f"{state}, and {variable} forbids downloads",
            where=str(target),
            hint=f"try again without {variable}, or {otherwise}",
        )
    expected, size, url = _ask(repository, file, revision, otherwise)

    def check(path: Path) -> None:
        actual = _hash(path, expected)
        if actual != expected:
            what = f"its hash is {actual}, not {expected}"
            raise not_as_published(repository, what, url, by_hand(target))

    download(repository, url, target, check, on_progress, digest=expected, megabytes=size / 1e6)
    with contextlib.suppress(InstyleError):
        write_atomically(_note(target), expected.encode())
    return target


def _ask(repository: str, file: str, revision: str, otherwise: str) -> tuple[str, int, str]:
    """What the hub tells of a file: its hash, its size in bytes (0 if unknown), and its URL."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = f"{repository}/{file}"
    try:
        url = hf_hub_url(repository, file, revision=revision)
        told = get_hf_file_metadata(url)
    except Exception as error:  # of several libraries below, and of several versions of them
        status = getattr(getattr(error, "response", None), "status_code", None)
        wrong = [] if status else suspects(url)
        advice = "check that variable" if wrong else "check name and network and try again"
        raise WeightsError(
            f"the hub could not be asked for '{repository}': "
            + "; ".join([first_line(error), *wrong]),
            where=url,
            hint=f"{hint_for(status, url) or advice}, or {otherwise}",
        ) from error
    expected = told.etag or ""
    if not _HASH.fullmatch(expected):
        raise WeightsError(
            f"the hub tells no hash of {file}, so that it cannot be verified",
            where=url,
            hint=otherwise,
        )
    return expected, told.size or 0, url


def is_as_told(path: Path) -> bool:
    """Whether a file has the hash that the hub told when it was downloaded.

    If none is kept, the file was saved by hand, or by instyle 0.1.0; then it is trusted.
    """
    try:
        expected = _note(path).read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    try:
        return bool(_HASH.fullmatch(expected)) and _hash(path, expected) == expected
    except OSError:
        return False


def told_files() -> list[Path]:
    """The files in the cache whose hash the hub told.

    Raises:
        WeightsError: there is no cache.
    """
    notes = (cache_folder() / "hub").rglob(f".*{_NOTE}")
    return sorted(note.with_name(note.name[1:].removesuffix(_NOTE)) for note in notes)


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}{_NOTE}")


def _hash(path: Path, like: str) -> str:
    """The hash of a file, of the same kind as another."""
    return sha256_of(path) if len(like) == 64 else git_blob_id(path)


def hub_weights(
    repository: str,
    revision: str,
    *,
    name: str,
    sha256: str,
    megabytes: float,
    summary: str,
    license: str = "",
    licence: str | None = None,
    file: str = "model.safetensors",
    beside: Sequence[str] = (),
) -> Weights:
    """The record of weights on the hub whose hash is known.

    Once they are fetched, `fetch_from_hub` finds them, in one folder with the repository's other
    files. ``HF_ENDPOINT`` names another hub.

    Args:
        repository: such as ``Intel/dpt-large``.
        revision: a commit, since branches and tags may change.
        name: of the weights; this and what follows is as in `instyle_core.Weights`.
        sha256: of the file.
        megabytes: about how large it is.
        summary: one line.
        license: under which it may be used.
        licence: what 0.1.0 called `license`; accepted still.
        file: its path in the repository.
        beside: small files of the repository that come along, such as ``config.json``.
    """
    return Weights(
        name=name,
        file=_place(repository, file, revision),
        sha256=sha256,
        megabytes=megabytes,
        license=license if licence is None else licence,
        summary=summary,
        url=_url(repository, file, revision),
        beside=tuple((repository, other, revision) for other in beside),
    )


def _url(repository: str, file: str, revision: str) -> str:
    # The same as huggingface_hub makes, which takes too long to import just to list weights.
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{endpoint.rstrip('/')}/{repository}/resolve/{revision}/{file}"


def git_blob_id(path: Path) -> str:
    """Git's blob id of a file: the SHA-1 of ``blob``, its size, a zero byte and its content.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    with path.open("rb") as file:
        start = b"blob %d\0" % os.fstat(file.fileno()).st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(start)).hexdigest()


def _place(repository: str, file: str, revision: str) -> str:
    """The path of a file in the cache folder."""
    folder = re.sub(r"[^\w.-]", "--", f"{repository}@{revision}")
    return f"hub/{folder}/{file}"
