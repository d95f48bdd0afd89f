"""Networks of transformers out of a folder of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

from instyle_core.errors import WeightsError, first_line


def load_pretrained(
    folder: Path, classes: Callable[[Any], tuple[Any, Any]], *, unused: str = ""
) -> tuple[Any, Any]:
    """Load a network of transformers and its processor.

    Nothing is downloaded or unpickled, and no code that came with the network is run.

    Args:
        folder: of its files, as `save_pretrained` writes them.
        classes: the classes of network and processor, from what ``config.json`` says; it raises a
            `WeightsError` for a network of another kind.
        unused: how the names of tensors begin that files may lack, because they are never used.

    Returns:
        The network, frozen, on the CPU, in float32; and its processor.

    Raises:
        WeightsError: the files are damaged, do not fit together, or are of another kind of network.
    """
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        # transformers fills missing tensors with random numbers.
        with _quiet(), torch.random.fork_rng(devices=[]):
            config = transformers.AutoConfig.from_pretrained(folder, **local)
            network_class, processor_class = classes(config)
            processor = processor_class.from_pretrained(folder, **local)
            network, report = network_class.from_pretrained(
                folder,
                **local,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that the report names them
            )
    except WeightsError:
        raise
    except Exception as error:  # whatever transformers raises for damaged files
        raise WeightsError(
            f"transformers {transformers.__version__} cannot load the network: {first_line(error)}",
            where=str(folder),
            hint="get the files again, or write them again with `save_pretrained`",
        ) from error
    _check_tensors(report, folder, unused)
    return network.float().requires_grad_(False).eval(), processor


def _check_tensors(report: Any, folder: Path, unused: str) -> None:
    missing = sorted(
        name for name in report["missing_keys"] if not (unused and name.startswith(unused))
    )
    shapes = sorted(report["mismatched_keys"])
    if not missing and not shapes:
        return
    if missing:
        what = f"the tensor '{missing[0]}' is absent"
    else:
        name, have, want = shapes[0]
        what = f"the tensor '{name}' is {list(have)} in the file and {list(want)} in the network"
    raise WeightsError(
        f"the weights are of another network than config.json describes: {what}",
        where=str(folder),
        hint="get all the files from one place, or write them again with `save_pretrained`",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress and reports off standard error, which is the command's."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
