"""Weights out of repositories on the Hugging Face hub, for plugins that let users name one."""

from __future__ import annotations

import re
from pathlib import Path

from instyle_core.errors import WeightsError
from instyle_core.weights import (
    OFFLINE_VARIABLE,
    OnProgress,
    Weights,
    cache_folder,
    download,
    offline,
)


def fetch_from_hub(
    repository: str, file: str, revision: str = "main", *, on_progress: OnProgress | None = None
) -> Path:
    """A file of a repository, downloaded if it is not in the cache yet.

    The hub tells the SHA-256 of a file of weights beforehand; what differs from it is refused.
    Whatever goes wrong, nothing half-written stays behind. ``HF_ENDPOINT`` names another hub.

    Args:
        repository: such as ``smp-hub/resnet34.imagenet``.
        file: its path there.
        revision: commit, tag or branch; a branch is not looked up again once it is cached.
        on_progress: called as a download goes on.

    Raises:
        WeightsError: it could not be had.
    """
    folder = re.sub(r"[^\w.-]", "--", f"{repository}@{revision}")
    target = cache_folder() / "hub" / folder / file
    if target.is_file():
        return target
    by_hand = f"get {file} of {repository} by other means, and save it as {target}"
    if offline():
        raise WeightsError(
            f"'{repository}' is not downloaded, and {OFFLINE_VARIABLE} forbids to do it now",
            where=str(target),
            hint=f"try again without {OFFLINE_VARIABLE}, or {by_hand}",
        )
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = f"{repository}/{file}"
    try:
        url = hf_hub_url(repository, file, revision=revision)
        told = get_hf_file_metadata(url)
    except Exception as error:  # of several libraries below, and of several versions of them
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(
            f"the hub could not be asked for '{repository}': {reason}",
            where=url,
            hint=f"check name and network and try again, or {by_hand}",
        ) from error
    if not re.fullmatch("[0-9a-f]{64}", told.etag or ""):
        raise WeightsError(
            f"the hub tells no SHA-256 of {file}, so that it cannot be verified",
            where=url,
            hint=by_hand,
        )
    weights = Weights(
        name=repository,
        file=str(target.relative_to(cache_folder())),
        sha256=str(told.etag),
        megabytes=(told.size or 0) / 1e6,
        licence="see the repository",
        summary=f"{file} of {repository} on the Hugging Face hub.",
        url=url,
    )
    return download(weights, url, target, on_progress)
