"""Depth networks of transformers: found, loaded and checked."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from instyle_core import WeightsError, fetch, first_line, load_pretrained
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

    def classes(config: Any) -> tuple[Any, Any]:
        _check_kind(config, folder)
        return transformers.AutoModelForDepthEstimation, transformers.AutoImageProcessor

    network, processor = load_pretrained(folder, classes, unused=_UNUSED)
    preprocessing = Preprocessing.of(processor, folder / PREPROCESSOR)
    _check_size(network.config, preprocessing, folder)
    return network, preprocessing


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
