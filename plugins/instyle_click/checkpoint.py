"""Trained networks as files: safetensors, with the network's description as metadata."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm

from instyle_click.description import read_metadata
from instyle_click.network import ClickNet, fits
from instyle_core import WeightsError
from instyle_training.checkpoint import read_into, write


def save(path: Path, network: ClickNet, training: dict[str, Any] | None = None) -> None:
    """Write a network's weights, in float16, with its encoder.

    Args:
        path: the safetensors file; written whole or not at all.
        network: to be written.
        training: how it was trained; any data that JSON can hold.
    """
    metadata = {
        "network": "click",
        "encoder": network.encoder_name,
        "training": json.dumps(training or {}),
    }
    write(path, network, metadata)


def load(path: Path) -> ClickNet:
    """Read a network, in evaluation mode and float32.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, does not describe a
            `ClickNet`, names an encoder that the network cannot have, or holds other tensors than
            its network has.
    """
    metadata = read_metadata(path)
    if not fits(metadata.encoder):
        raise WeightsError(
            f"the file's encoder {metadata.encoder!r} is none of the EfficientNets of timm "
            f"{timm.__version__}",
            where=str(path),
            hint="check the file, or try a newer timm",
        )
    network = ClickNet(encoder=metadata.encoder)
    read_into(network, path, f"the network of `click` on {metadata.encoder}")
    return network
