"""Trained networks as files: safetensors, with the network's description as metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from instyle_fcn8s.description import read_metadata
from instyle_fcn8s.network import FCN
from instyle_training.checkpoint import check_encoder, read_into, write


def save(path: Path, network: FCN, training: dict[str, Any] | None = None) -> None:
    """Write a network's weights, in float16, with its classes, encoder and variant.

    A tensor with values beyond the range of float16 keeps its own type. The file is written whole
    or not at all.

    Args:
        path: the safetensors file.
        network: to be written.
        training: how it was trained; any data that JSON can hold.
    """
    metadata = {
        "classes": json.dumps(network.classes),
        "encoder": network.encoder_name,
        "variant": network.variant,
        "training": json.dumps(training or {}),
    }
    write(path, network, metadata)


def load(path: Path) -> FCN:
    """Read a network, in evaluation mode and float32.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, does not describe its
            network, names an unknown encoder, or holds other tensors than its network has.
    """
    metadata = read_metadata(path)
    check_encoder(path, metadata.encoder)
    network = FCN(metadata.classes, encoder=metadata.encoder, variant=metadata.variant)
    what = f"FCN-{metadata.variant} on {metadata.encoder} with {len(metadata.classes)} classes"
    read_into(network, path, what)
    return network
