"""Weight files: found, downloaded if needed, and verified.

A plugin announces its weights in its record, and its code asks for the file when it loads them::

    VGG19 = Weights(name="vgg19-imagenet1k_v1", file="vgg19-dcbb9e9d.pth", sha256="dcbb9e9d", ...)

    state = torch.load(fetch(VGG19), weights_only=True)

A file is hashed when it is fetched, once in a process: it may have been damaged since its download,
and a damaged network paints a wrong picture. That is the plainest rule that finds all damage, and
hashing takes less than loading: 0.8 s for 1 GB with the instructions that most processors have,
some 2.5 s without. The largest file by default, VGG-19's, is hashed only when it is converted.
"""

from __future__ import annotations

import os
from pathlib import Path

from instyle_core.errors import WeightsError
from instyle_core.files import sha256_of
from instyle_core.weights.cache import cache_folder, forbidden_by, warn_not_kept
from instyle_core.weights.download import OnProgress, by_hand, download, not_as_published
from instyle_core.weights.record import Weights


def locate(weights: Weights) -> Path | None:
    """The file, if it is there; it is neither downloaded nor hashed."""
    if weights.package is None:
        try:
            path = cache_folder() / weights.file
        except WeightsError as error:
            warn_not_kept(error.what)
            return None
        return path if os.path.isfile(path) else None
    # Not importlib.resources: it would import the package, and torch with it.
    from importlib.util import find_spec

    spec = find_spec(weights.package)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next(
        (path for folder in folders if os.path.isfile(path := Path(folder, weights.file))), None
    )


def fetch(weights: Weights, *, on_progress: OnProgress | None = None) -> Path:
    """The file, downloaded if it is not there yet, and hashed.

    A download that was damaged later is downloaded again. Several processes may do this at once.
    If it fails, no half-written file stays behind but one that the next download goes on with.

    Args:
        weights: which.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be downloaded or stored, is not what was published, its package
            is missing, or ``INSTYLE_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids the download.
    """
    there = locate(weights)
    path = obtain(weights, on_progress=on_progress)
    if there is None or _identity(path) in _whole:
        return path
    try:
        _check_stored(weights, path)
    except WeightsError:
        if weights.url is None or forbidden_by():
            raise
        _download(weights, on_progress)
    _whole.add(_identity(path))
    return path


#: The files that this process has hashed and found as published.
_whole: set[tuple[int, ...]] = set()


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def obtain(weights: Weights, *, on_progress: OnProgress | None = None) -> Path:
    """The file, downloaded if it is not there yet; one that is there is not hashed.

    This is for what needs it later, and fetches it then; the arguments and errors are those of
    `fetch`.
    """
    path = locate(weights) or _download(weights, on_progress)
    for repository, file, revision in weights.beside:
        from instyle_core.weights.hub import fetch_from_hub

        fetch_from_hub(repository, file, revision)
    return path


def _download(weights: Weights, on_progress: OnProgress | None) -> Path:
    if weights.url is None or forbidden_by():
        raise absent(weights)
    url, target = weights.url, cache_folder() / weights.file

    def check(path: Path) -> None:
        _check(weights, path, where=url, hint=by_hand(target))

    return download(
        weights.name,
        url,
        target,
        check,
        on_progress,
        digest=weights.sha256,
        megabytes=weights.megabytes,
    )


def verify(weights: Weights) -> None:
    """Hash the file, which takes about half a second for 500 MB.

    Raises:
        WeightsError: it is not there, cannot be read, or is not what was published.
    """
    path = locate(weights)
    if path is None:
        raise absent(weights)
    _check_stored(weights, path)


def _check_stored(weights: Weights, path: Path) -> None:
    remedy = (
        f"reinstall the package '{weights.package}'"
        if weights.package
        else f"run `instyle models pull {weights.name}`, which downloads it again"
    )
    try:
        _check(weights, path, where=str(path), hint=remedy)
    except OSError as error:
        raise WeightsError(
            f"cannot be read: {error.strerror or error}", where=str(path), hint=remedy
        ) from error


def absent(weights: Weights) -> WeightsError:
    """The error that says that the file is not there, and how to get it."""
    if weights.package is not None:
        return WeightsError(
            f"the weights '{weights.name}' ship as {weights.file} with the package "
            f"'{weights.package}', which is not installed or does not have them",
            hint=f"install or upgrade the package '{weights.package}'",
        )
    what, how = f"the weights '{weights.name}' are not downloaded", ""
    if variable := forbidden_by():
        what += f", and {variable} forbids downloads"
        how = f" without {variable}"
    try:
        path = cache_folder() / weights.file
    except WeightsError as error:
        return WeightsError(f"{what}, and {error.what}", hint=error.hint)
    return WeightsError(
        what,
        where=str(path),
        hint=f"run `instyle models pull {weights.name}`{how} (it downloads "
        f"{weights.megabytes:g} MB), or save {weights.url} as {path}",
    )


def _check(weights: Weights, path: Path, *, where: str, hint: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(weights.sha256):
        what = f"its SHA-256 is {actual}, not {weights.sha256}"
        raise not_as_published(weights.name, what, where, hint)
