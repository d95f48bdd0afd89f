"""Weights by name: shipped, cached, downloaded, verified.

A plugin announces its weights in its record, and its code asks for the file when it loads them::

    VGG19 = Weights(name="vgg19-imagenet1k_v1", file="vgg19-dcbb9e9d.pth", sha256="dcbb9e9d", ...)

    state = torch.load(fetch(VGG19), weights_only=True)

A download is checked before it gets its name in the cache, so a file that is there is trusted: to
hash 500 MB at every start would take too long. `verify` hashes it again.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from instyle_core.errors import WeightsError

if TYPE_CHECKING:
    import requests

#: The folder of the downloaded files; by default one in the user's cache folder.
CACHE_VARIABLE = "INSTYLE_CACHE"

#: Set to 1, it forbids downloads.
OFFLINE_VARIABLE = "INSTYLE_OFFLINE"

#: Told how far a download is: bytes so far, and bytes in all where the server says so. A broken
#: download starts again at the beginning.
OnProgress = Callable[[int, int | None], None]

_TIMEOUT_S = 30.0  # of silence
_PAUSES_S = (1.0, 3.0)  # before the second and the third attempt
_CHUNK_BYTES = 2**18


@dataclass(frozen=True)
class Weights:
    """One file of weights, which either ships with an installed package or has a URL.

    Attributes:
        name: what ``instyle models`` calls it, such as ``vgg19-imagenet1k_v1``.
        file: its name in the cache folder, or its path inside the package.
        sha256: 64 hexadecimal digits, or at least the first 8 where the publisher tells no more.
        megabytes: about how large it is, in 10^6 bytes.
        licence: under which it may be used.
        summary: one line: which network, trained on what.
        url: where it is downloaded from.
        package: the top-level package that ships it; it is never imported to find the file.
        beside: small files on the hub that come along, each as `fetch_from_hub` takes it:
            repository, file and revision.

    Raises:
        ValueError: the hash is no hash, or there is not exactly one of ``url`` and ``package``.
    """

    name: str
    file: str
    sha256: str
    megabytes: float
    licence: str
    summary: str
    url: str | None = None
    package: str | None = None
    beside: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{8,64}", self.sha256):
            raise ValueError(f"sha256 of '{self.name}': not 8 to 64 lower-case hexadecimal digits")
        if (self.url is None) == (self.package is None):
            raise ValueError(f"'{self.name}' needs either a url or a package")


def cache_folder() -> Path:
    """Where downloaded files are kept; it need not exist yet."""
    return user_folder("weights", of_its_own=False)


def user_folder(name: str, *, of_its_own: bool = True) -> Path:
    """A folder for what instyle keeps between runs; it need not exist yet.

    Args:
        name: of the folder, in the user's cache folder.
        of_its_own: whether it is a folder within the one that `CACHE_VARIABLE` names.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser().absolute()
        return folder / name if of_its_own else folder
    import pooch

    return Path(pooch.os_cache("instyle"), name)


def locate(weights: Weights) -> Path | None:
    """The file, if it is there; it is neither downloaded nor hashed."""
    if weights.package is None:
        path = cache_folder() / weights.file
        return path if path.is_file() else None
    # importlib.resources would import the package, and torch with it.
    from importlib.util import find_spec

    spec = find_spec(weights.package)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next(
        (path for folder in folders if (path := Path(folder, weights.file)).is_file()), None
    )


def fetch(weights: Weights, *, on_progress: OnProgress | None = None) -> Path:
    """The file, downloaded if it is not there yet.

    Several processes may do this at once. Whatever goes wrong, nothing half-written stays behind.

    Args:
        weights: which.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be downloaded or stored, is not what was published, its package
            is missing, or ``INSTYLE_OFFLINE`` forbids the download.
    """
    path = locate(weights) or _download(weights, on_progress)
    for repository, file, revision in weights.beside:
        from instyle_core.hub import fetch_from_hub

        fetch_from_hub(repository, file, revision)
    return path


def _download(weights: Weights, on_progress: OnProgress | None) -> Path:
    if weights.url is None or offline():
        raise absent(weights)
    url, target = weights.url, cache_folder() / weights.file

    def check(path: Path) -> None:
        _check(weights, path, where=url, hint=by_hand(target))

    return download(weights.name, url, target, check, on_progress, megabytes=weights.megabytes)


def verify(weights: Weights) -> None:
    """Hash the file, which takes about a second for 500 MB.

    Raises:
        WeightsError: it is not there, cannot be read, or is not what was published.
    """
    path = locate(weights)
    if path is None:
        raise absent(weights)
    remedy = (
        f"reinstall the package '{weights.package}'"
        if weights.package
        else f"delete it, and run `instyle models pull {weights.name}`"
    )
    try:
        _check(weights, path, where=str(path), hint=remedy)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=str(path)) from error


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def absent(weights: Weights) -> WeightsError:
    """The error which says that the file is not there, and how to get it."""
    if weights.package is not None:
        return WeightsError(
            f"the weights '{weights.name}' ship as {weights.file} with the package "
            f"'{weights.package}', which is not installed or does not have them",
            hint=f"install or upgrade the package '{weights.package}'",
        )
    what, how = f"the weights '{weights.name}' are not downloaded", ""
    if offline():
        what += f", and {OFFLINE_VARIABLE} forbids to do it now"
        how = f" without {OFFLINE_VARIABLE}"
    path = cache_folder() / weights.file
    return WeightsError(
        what,
        where=str(path),
        hint=f"run `instyle models pull {weights.name}`{how}, or save {weights.url} as {path}",
    )


def offline() -> bool:
    """Whether downloads are forbidden."""
    return os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")


def _check(weights: Weights, path: Path, *, where: str, hint: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(weights.sha256):
        what = f"its SHA-256 is {actual}, not {weights.sha256}"
        raise not_as_published(weights.name, what, where, hint)


def not_as_published(name: str, what: str, where: str, hint: str) -> WeightsError:
    """The error which says in what a file differs from the published one."""
    return WeightsError(
        f"this is not the file '{name}' that was published: {what}", where=where, hint=hint
    )


# --- downloading ----------------------------------------------------------------------------------


def download(
    name: str,
    url: str,
    target: Path,
    check: Callable[[Path], None],
    on_progress: OnProgress | None,
    *,
    megabytes: float,
) -> Path:
    """Download to `target`, trying again where that may help: not after a wrong hash or a 404.

    Args:
        name: what messages call it.
        url: from where.
        target: to where.
        check: raises `WeightsError` at a file that is not the published one.
        on_progress: called as the download goes on.
        megabytes: about how large it is, in 10^6 bytes.

    Raises:
        WeightsError: it could not be downloaded or stored, or is not what was published.
    """
    import requests

    pauses = iter(_PAUSES_S)
    while True:
        try:
            _attempt(url, target, check, on_progress)
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code < 500
            pause = next(pauses, None)
            if refused or pause is None:
                raise WeightsError(
                    f"the weights '{name}' could not be downloaded: {_reason(error)}",
                    where=url,
                    hint=by_hand(target),
                ) from error
            time.sleep(pause)
        except OSError as error:
            raise WeightsError(
                f"the weights '{name}' ({megabytes:g} MB) from {url} could not be stored: "
                f"{error.strerror}",
                where=str(target),
                hint=f"make room there, or set {CACHE_VARIABLE} to a folder that can be written to",
            ) from error
        else:
            return target


def _attempt(
    url: str, target: Path, check: Callable[[Path], None], on_progress: OnProgress | None
) -> None:
    import pooch

    target.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own on the same file system: no other process writes there, it goes with all
    # that is in it, and the file in it can be moved to its place in one step.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
        part = Path(folder, target.name)
        with part.open("wb") as file:
            progress = _Progress(file, on_progress) if on_progress else False
            download = pooch.HTTPDownloader(progress, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S)
            download(url, file, None)
        check(part)
        os.replace(part, target)


class _Progress:
    """What pooch takes for a progress bar.

    It counts what is in the file, since pooch says how many bytes it asked for, not how many came.
    """

    total = 0  # set by pooch; it stays 0 where the server does not tell

    def __init__(self, file: IO[bytes], report: OnProgress) -> None:
        self._file = file
        self._report = report

    def update(self, _: int) -> None:
        self._report(self._file.tell(), self.total or None)

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


def by_hand(target: Path) -> str:
    """The hint after a download that failed."""
    return f"try again later, or save it by other means as {target}"


def _reason(error: requests.RequestException) -> str:
    """The point of an error of requests, which wraps urllib3's, which wraps the system's."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return str(getattr(next(iter(error.args), None), "reason", error))
