"""Depth networks of transformers: found, loaded and checked."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers.utils import logging

from instyle_core import WeightsError, fetch, first_line
from instyle_midas.params import MidasParams
from instyle_midas.preprocessing import Preprocessing
from instyle_midas.weights import CONFIG, PREPROCESSOR, PUBLISHED

#: The types of networks that predict inverse relative depth, unless their configuration says
#: otherwise. Other types in transformers predict meters, which grow with the distance.
_TYPES = ("dpt", "depth_anything")

#: Tensors that published files lack because they are never used: the first fusion layer has no
#: layer before it whose output it could add.
_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."


def folder_of(params: MidasParams) -> Path:
    """The folder of the network's files, downloaded if they are not there yet.

    Raises:
        WeightsError: they could not be downloaded.
    """
    if os.path.isabs(params.model):
        return Path(params.model)
    return fetch(PUBLISHED[params.model]).parent


def load(folder: Path) -> tuple[nn.Module, Preprocessing]:
    """Load a network and its preprocessing.

    Nothing is downloaded or unpickled, and no code that came with the network is run.

    Returns:
        The network, frozen, on the CPU, in float32; and its preprocessing.

    Raises:
        WeightsError: the files are damaged, do not fit together, or are of another kind of network.
    """
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        # transformers fills missing tensors with random numbers.
        with _quiet(), torch.random.fork_rng(devices=[]):
            config = transformers.AutoConfig.from_pretrained(folder, **local)
            _check_kind(config, folder)
            processor = transformers.AutoImageProcessor.from_pretrained(folder, **local)
            preprocessing = Preprocessing.of(processor, folder / PREPROCESSOR)
            network, report = transformers.AutoModelForDepthEstimation.from_pretrained(
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
    _check_tensors(report, folder)
    _check_size(config, preprocessing, folder)
    return network.float().requires_grad_(False).eval(), preprocessing


def _check_kind(config: Any, folder: Path) -> None:
    kind = str(config.model_type)
    if kind in _TYPES and getattr(config, "depth_estimation_type", "relative") != "relative":
        kind += ", metric"
    if kind not in _TYPES:
        raise WeightsError(
            f"the network is of the type '{kind}', which does not predict inverse relative depth",
            where=str(folder / CONFIG),
            hint=f"choose one of the type {' or '.join(_TYPES)}",
        )


def _check_tensors(report: Any, folder: Path) -> None:
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(_UNUSED))
    shapes = sorted(report["mismatched_keys"])
    if not missing and not shapes:
        return
    if missing:
        what = f"the tensor '{missing[0]}' is absent"
    else:
        name, have, want = shapes[0]
        what = f"the tensor '{name}' is {list(have)} in the file and {list(want)} in the network"
    raise WeightsError(
        f"the weights are of another network than {CONFIG} describes: {what}",
        where=str(folder),
        hint="get all the files from one place, or write them again with `save_pretrained`",
    )


def _check_size(config: Any, preprocessing: Preprocessing, folder: Path) -> None:
    """A hybrid takes pictures of a single size."""
    wanted = getattr(config, "image_size", None)
    sizes = (wanted, wanted) if isinstance(wanted, int) else tuple(wanted or ())
    fixed = getattr(config, "is_hybrid", False)
    if fixed and (preprocessing.keep_aspect_ratio or preprocessing.size != sizes):
        raise WeightsError(
            f"the network takes only pictures of {sizes[1]}x{sizes[0]} pixels, and {PREPROCESSOR} "
            "asks for others",
            where=str(folder),
            hint="get all the files from one place",
        )


@torch.no_grad()
def try_out(network: nn.Module, preprocessing: Preprocessing, folder: Path) -> None:
    """Run a network on a small picture that is not square.

    Raises:
        WeightsError: it fails, or its depth has values that are not finite.
    """
    try:
        depth = network(preprocessing(torch.full((1, 3, 48, 64), 0.5))).predicted_depth
        reason = "" if bool(torch.isfinite(depth).all()) else "its depth is not finite"
    except Exception as error:  # whatever wrong sizes, means or patches lead to
        reason = first_line(error)
    if reason:
        raise WeightsError(
            f"the network fails on a picture of 64x48 pixels: {reason}",
            where=str(folder),
            hint=f"check sizes, means and deviations in {PREPROCESSOR}, or write the files again "
            "with `save_pretrained`",
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
