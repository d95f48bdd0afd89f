"""Weight files: found, downloaded if needed, and verified.

A plugin announces its weights in its record, and its code asks for the file when it loads them::

    VGG19 = Weights(name="vgg19-imagenet1k_v1", file="vgg19-dcbb9e9d.pth", sha256="dcbb9e9d", ...)

    state = torch.load(fetch(VGG19), weights_only=True)

A download is verified before it appears in the cache. From then on it is trusted, since hashing
500 MB at every start would take too long; `verify` hashes it again.
"""

from __future__ import annotations

from pathlib import Path

from instyle_core.errors import WeightsError
from instyle_core.files import sha256_of
from instyle_core.weights.cache import OFFLINE_VARIABLE, cache_folder, offline
from instyle_core.weights.download import OnProgress, by_hand, download, not_as_published
from instyle_core.weights.record import Weights


def locate(weights: Weights) -> Path | None:
    """The file, if it is there; it is neither downloaded nor hashed."""
    if weights.package is None:
        path = cache_folder() / weights.file
        return path if path.is_file() else None
    # Not importlib.resources: it would import the package, and torch with it.
    from importlib.util import find_spec

    spec = find_spec(weights.package)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next(
        (path for folder in folders if (path := Path(folder, weights.file)).is_file()), None
    )


def fetch(weights: Weights, *, on_progress: OnProgress | None = None) -> Path:
    """The file, downloaded if it is not there yet.

    Several processes may do this at once. If it fails, no half-written file stays behind.

    Args:
        weights: which.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be downloaded or stored, is not what was published, its package
            is missing, or ``INSTYLE_OFFLINE`` forbids the download.
    """
    path = locate(weights) or _download(weights, on_progress)
    for repository, file, revision in weights.beside:
        from instyle_core.weights.hub import fetch_from_hub

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


def absent(weights: Weights) -> WeightsError:
    """The error that says that the file is not there, and how to get it."""
    if weights.package is not None:
        return WeightsError(
            f"the weights '{weights.name}' ship as {weights.file} with the package "
            f"'{weights.package}', which is not installed or does not have them",
            hint=f"install or upgrade the package '{weights.package}'",
        )
    what, how = f"the weights '{weights.name}' are not downloaded", ""
    if offline():
        what += f", and {OFFLINE_VARIABLE} forbids downloads"
        how = f" without {OFFLINE_VARIABLE}"
    path = cache_folder() / weights.file
    return WeightsError(
        what,
        where=str(path),
        hint=f"run `instyle models pull {weights.name}`{how}, or save {weights.url} as {path}",
    )


def _check(weights: Weights, path: Path, *, where: str, hint: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(weights.sha256):
        what = f"its SHA-256 is {actual}, not {weights.sha256}"
        raise not_as_published(weights.name, what, where, hint)
