"""Models of segmentation-models-pytorch on huggingface.co, kept in instyle's cache."""

from __future__ import annotations

from pathlib import Path

from instyle_core import fetch_from_hub
from instyle_segmenters.params import CONFIG, STATE


def from_hub(name: str) -> tuple[Path, Path]:
    """The files of a model, its description and its weights, downloaded if they are not there yet.

    Args:
        name: ``owner/name``.

    Raises:
        WeightsError: one of them could not be downloaded.
    """
    # The small file first: a repository that holds no such model is found out at once.
    return fetch_from_hub(name, CONFIG), fetch_from_hub(name, STATE)
