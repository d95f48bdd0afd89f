"""Models of segmentation-models-pytorch on huggingface.co, kept in instyle's cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from instyle_core import WeightsError, fetch_from_hub
from instyle_core.weights import OFFLINE_VARIABLE, cache_folder, offline
from instyle_segmenters.params import CONFIG, STATE


def from_hub(name: str) -> tuple[Path, Path]:
    """The files of a model, its description and its weights, downloaded if they are not there yet.

    The weights are checked against the hash that the hub tells. Whatever goes wrong, nothing
    half-written stays behind.

    Args:
        name: ``owner/name``.

    Raises:
        WeightsError: it could not be downloaded or stored, is not what the hub said, or
            ``INSTYLE_OFFLINE`` forbids the download.
    """
    config = cache_folder() / "smp" / name.replace("/", "--") / CONFIG
    if config.is_file():
        return config, fetch_from_hub(name, STATE)
    if offline():
        raise WeightsError(
            f"the model '{name}' is not downloaded, and {OFFLINE_VARIABLE} forbids to do it now",
            where=str(config.parent),
            hint=f"run it once without {OFFLINE_VARIABLE}; or save {CONFIG} and {STATE} of "
            f"https://huggingface.co/{name} in a folder, and name that under `pretrained`",
        )
    description = _describe(name)
    weights = fetch_from_hub(name, STATE)
    # Last: a description in the cache has its weights beside it.
    config.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.parent, prefix=".download-") as folder:
        part = Path(folder, CONFIG)
        part.write_bytes(description)
        os.replace(part, config)
    return config, weights


def _describe(name: str) -> bytes:
    """What the hub says of a model; nothing is stored."""
    # Not at the top of the module: importing it takes a while, and a folder does without it.
    from huggingface_hub import hf_hub_download

    with tempfile.TemporaryDirectory(prefix="instyle-") as folder:
        try:
            return Path(hf_hub_download(name, CONFIG, local_dir=folder)).read_bytes()
        except Exception as error:  # of several libraries below, and of several versions of them
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise WeightsError(
                f"the model '{name}' could not be found on the hub or downloaded: {reason}",
                where=f"https://huggingface.co/{name}",
                hint=f"check name and network and try again; or save {CONFIG} and {STATE} in a "
                "folder, and name that under `pretrained`",
            ) from error
