"""Trained networks as files: safetensors, with the network's description as metadata."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save as serialize
from torch import Tensor, nn

from instyle_core import WeightsError, atomic_write, read_state_dict
from instyle_training.description import HINT
from instyle_training.encoders import is_encoder


def write(path: Path, network: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write a network's weights, in float16.

    A tensor with values beyond the range of float16 keeps its own type. The file is written whole
    or not at all.

    Args:
        path: the safetensors file.
        network: to be written.
        metadata: what the file says of the network, as `read_description` reads it.
    """
    tensors = {name: _half(tensor).contiguous() for name, tensor in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_bytes(serialize(tensors, dict(metadata)))


def _half(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(torch.isfinite(half).all()) else tensor


def check_encoder(path: Path, encoder: str) -> None:
    """Check that segmentation-models-pytorch has the encoder that a file names.

    Raises:
        WeightsError: it does not.
    """
    if not is_encoder(encoder):
        raise WeightsError(
            f"the file's encoder {encoder!r} is unknown to segmentation-models-pytorch "
            f"{smp.__version__}",
            where=str(path),
            hint="check the file, or try a newer segmentation-models-pytorch",
        )


def read_into(network: nn.Module, path: Path, what: str) -> None:
    """Fill a network with the weights of a file, and set it to evaluation mode.

    Args:
        network: of float32.
        path: the safetensors file.
        what: the network in words, for errors.

    Raises:
        WeightsError: the file is damaged, or holds other tensors than the network has.
    """
    tensors = read_state_dict(path)
    state = network.state_dict()
    for name in [*state, *tensors]:
        have, want = (list(d[name].shape) if name in d else "absent" for d in (tensors, state))
        if have != want:
            raise WeightsError(
                f"the tensor {name!r} is {have} in the file and {want} in {what}",
                where=str(path),
                hint=HINT,
            )
    network.load_state_dict(tensors)
    network.eval()
