"""Networks of transformers: found, loaded and checked."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instyle_core import (
    Weights,
    WeightsError,
    fetch,
    fetch_from_hub,
    first_line,
    load_pretrained,
)
from instyle_sam.weights import CONFIG, PREPROCESSOR, STATE


def folder_of(weights: Weights | None, source: str | None, words: Sequence[str] = ()) -> Path:
    """The folder of a network's files, downloaded if they are not there yet.

    Args:
        weights: a published network; taken if there is no `source`.
        source: a folder, or the name of a repository on the hub.
        words: the files of its tokenizer, if it reads.

    Raises:
        WeightsError: they could not be downloaded.
    """
    if source is None:
        assert weights
        return fetch(weights).parent
    if os.path.isabs(source):
        return Path(source)
    # The small files first: a repository that holds no such model is found out at once.
    for name in (CONFIG, PREPROCESSOR, *words, STATE):
        path = fetch_from_hub(source, name)
    return path.parent


def load(folder: Path, kinds: Mapping[str, tuple[Any, Any]], what: str) -> tuple[Any, Any]:
    """Load a network and its processor.

    Nothing is downloaded or unpickled, and no code that came with the network is run.

    Args:
        folder: of the files.
        kinds: the classes of network and processor, by the type that `CONFIG` tells.
        what: what such a network does, for messages.

    Returns:
        The network, frozen, on the CPU, in float32; and its processor.

    Raises:
        WeightsError: the files are damaged, do not fit together, or are of another kind of network.
    """

    def classes(config: Any) -> tuple[Any, Any]:
        kind = str(config.model_type)
        if kind not in kinds:
            raise WeightsError(
                f"the network is of the type '{kind}', which does not {what}",
                where=str(folder / CONFIG),
                hint=f"choose one of the type {' or '.join(kinds)}",
            )
        return kinds[kind]

    return load_pretrained(folder, classes)


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Run a network, and say so if its files do not let it.

    Raises:
        WeightsError: it fails, though the picture is one.
    """
    try:
        with torch.no_grad():
            yield
    except WeightsError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise  # on a processor, that is any RuntimeError
        raise WeightsError(
            f"the network fails at a picture: {first_line(error)}",
            where=str(folder),
            hint="check its settings, or write its files again with `save_pretrained`",
        ) from error


def finite(tensor: Tensor, folder: Path) -> Tensor:
    """The tensor itself.

    Raises:
        WeightsError: some of its values are not finite.
    """
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(
            "the network's answer has values that are not finite",
            where=str(folder),
            hint="get the files again",
        )
    return tensor


def to_bytes(image: Tensor) -> Tensor:
    """A picture (3, H, W) in [0, 1] as processors take it: uint8, on the CPU."""
    return image.mul(255).round_().byte().cpu().contiguous()
