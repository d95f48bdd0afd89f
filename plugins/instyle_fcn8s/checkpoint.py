"""Trained networks as files: safetensors, with the network's description as metadata."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save as serialize
from torch import Tensor

from instyle_core import WeightsError, atomic_write, read_state_dict
from instyle_fcn8s.description import HINT, read_metadata
from instyle_fcn8s.encoders import is_encoder
from instyle_fcn8s.network import FCN


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
    tensors = {name: _half(tensor).contiguous() for name, tensor in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_bytes(serialize(tensors, metadata))


def _half(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(torch.isfinite(half).all()) else tensor


def load(path: Path) -> FCN:
    """Read a network, in evaluation mode and float32.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, does not describe its
            network, names an unknown encoder, or holds other tensors than its network has.
    """
    metadata = read_metadata(path)
    tensors = read_state_dict(path)
    if not is_encoder(metadata.encoder):
        raise WeightsError(
            f"the file's encoder {metadata.encoder!r} is unknown to segmentation-models-pytorch "
            f"{smp.__version__}",
            where=str(path),
            hint="check the file, or try a newer segmentation-models-pytorch",
        )
    network = FCN(metadata.classes, encoder=metadata.encoder, variant=metadata.variant)
    state = network.state_dict()
    for name in [*state, *tensors]:
        have, want = (list(d[name].shape) if name in d else "absent" for d in (tensors, state))
        if have != want:
            raise WeightsError(
                f"the tensor {name!r} is {have} in the file and {want} in FCN-{metadata.variant} "
                f"on {metadata.encoder} with {len(metadata.classes)} classes",
                where=str(path),
                hint=HINT,
            )
    network.load_state_dict(tensors)
    return network.eval()
