"""Trained networks as files: safetensors, with the network's description as metadata."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
from pathlib import Path

import segmentation_models_pytorch as smp
import timm
from pydantic import BaseModel, Field, Json, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from instyle_core import WeightsError
from instyle_fcn8s.network import FCN
from instyle_fcn8s.params import Variant

_HINT = "use a file that was written by this plugin"


class Metadata(BaseModel):
    """What a file says of its network; all values are strings in the file."""

    classes: Json[list[str]] = Field(min_length=2)
    encoder: str
    variant: Variant


def save(path: Path, network: FCN) -> None:
    """Write a network's weights with its classes, encoder and variant."""
    metadata = {
        "classes": json.dumps(network.classes),
        "encoder": network.encoder_name,
        "variant": network.variant,
    }
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, metadata)


def load(path: Path) -> FCN:
    """Read a network, in evaluation mode.

    Raises:
        WeightsError: the file is missing, damaged or no safetensors file, does not describe its
            network, names an unknown encoder, or holds other tensors than its network has.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = Metadata.model_validate(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"this is no safetensors file, or it is damaged: {error}",
            where=str(path),
            hint="check the path, or get the file again",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise WeightsError(
            f"the file's metadata does not describe a network: {first['loc'][0]}: {first['msg']}",
            where=str(path),
            hint=_HINT,
        ) from error

    if not _is_encoder(metadata.encoder):
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
                hint=_HINT,
            )
    network.load_state_dict(tensors)
    return network.eval()


def _is_encoder(name: str) -> bool:
    """Whether `smp` has an encoder, without asking a hub: a file must not cause a download."""
    return name in smp.encoders.encoders or (
        name.startswith("tu-") and bool(timm.is_model(name.removeprefix("tu-")))
    )
