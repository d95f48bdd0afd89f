"""Files of repositories on the Hugging Face hub: weights and descriptions of networks."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from instyle_core.errors import WeightsError, first_line
from instyle_core.files import sha256_of
from instyle_core.weights.cache import OFFLINE_VARIABLE, cache_folder, offline
from instyle_core.weights.download import OnProgress, by_hand, download, not_as_published
from instyle_core.weights.record import Weights


def fetch_from_hub(
    repository: str, file: str, revision: str = "main", *, on_progress: OnProgress | None = None
) -> Path:
    """A file of a repository, downloaded if it is not in the cache yet.

    The hub tells the hash of a file beforehand: the SHA-256 of a large file, git's blob id of a
    small one. A file with another hash is refused. If the download fails, no half-written file
    stays behind. ``HF_ENDPOINT`` names another hub.

    Args:
        repository: such as ``smp-hub/resnet34.imagenet``.
        file: its path there.
        revision: commit, tag or branch; a branch is not looked up again once it is cached.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be downloaded or stored, or has another hash.
    """
    target = cache_folder() / _place(repository, file, revision)
    if target.is_file():
        return target
    source = _url(repository, file, revision)
    otherwise = f"get {source} by other means, and save it as {target}"
    if offline():
        raise WeightsError(
            f"{file} of '{repository}' is not downloaded, and {OFFLINE_VARIABLE} forbids downloads",
            where=str(target),
            hint=f"try again without {OFFLINE_VARIABLE}, or {otherwise}",
        )
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = f"{repository}/{file}"
    try:
        url = hf_hub_url(repository, file, revision=revision)
        told = get_hf_file_metadata(url)
    except Exception as error:  # of several libraries below, and of several versions of them
        raise WeightsError(
            f"the hub could not be asked for '{repository}': {first_line(error)}",
            where=url,
            hint=f"check name and network and try again, or {otherwise}",
        ) from error
    expected = told.etag or ""
    if not re.fullmatch("[0-9a-f]{64}|[0-9a-f]{40}", expected):
        raise WeightsError(
            f"the hub tells no hash of {file}, so that it cannot be verified",
            where=url,
            hint=otherwise,
        )

    def check(path: Path) -> None:
        actual = sha256_of(path) if len(expected) == 64 else git_blob_id(path)
        if actual != expected:
            what = f"its hash is {actual}, not {expected}"
            raise not_as_published(repository, what, url, by_hand(target))

    megabytes = (told.size or 0) / 1e6
    return download(repository, url, target, check, on_progress, megabytes=megabytes)


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

    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _place(repository: str, file: str, revision: str) -> str:
    """The path of a file in the cache folder."""
    folder = re.sub(r"[^\w.-]", "--", f"{repository}@{revision}")
    return f"hub/{folder}/{file}"
