"""Encoders, and the weights that a training starts from."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import segmentation_models_pytorch as smp
import timm
from torch import Tensor, nn

from instyle_core import (
    InputError,
    WeightsError,
    did_you_mean,
    fetch_from_hub,
    first_line,
    read_state_dict,
)

#: Of R, G and B, in [0, 1], over ImageNet: what most encoders were pretrained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalization(encoder: str) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and standard deviation of R, G and B that an encoder was pretrained with."""
    if encoder.startswith("tu-"):
        known = timm.get_pretrained_cfg(encoder.removeprefix("tu-"), allow_unregistered=True)
        if known is not None:
            return known.mean, known.std
    return IMAGENET_MEAN, IMAGENET_STD


def check(name: str) -> None:
    """Check that segmentation-models-pytorch has an encoder.

    Raises:
        InputError: it has none of that name.
    """
    if is_encoder(name):
        return
    known = [*smp.encoders.get_encoder_names(), *(f"tu-{other}" for other in timm.list_models())]
    raise InputError(
        f"segmentation-models-pytorch {smp.__version__} has no encoder '{name}'",
        where="--encoder",
        hint=did_you_mean(name, known)
        or "its own are named such as resnet34, those of timm such as tu-convnext_tiny",
    )


def load_imagenet_into(encoder: nn.Module, name: str) -> None:
    """Start an encoder from its ImageNet weights, downloaded unless they are in the cache.

    Args:
        encoder: to be filled.
        name: as segmentation-models-pytorch calls it.

    Raises:
        InputError: there are none for it.
        WeightsError: they could not be downloaded or do not fit.
    """
    if name.startswith("tu-"):
        known = timm.get_pretrained_cfg(name.removeprefix("tu-"), allow_unregistered=True)
        repository, _, revision = ((known and known.hf_hub_id) or "").partition("@")
    else:
        settings = smp.encoders.encoders[name]["pretrained_settings"].get("imagenet", {})
        repository, revision = settings.get("repo_id", ""), settings.get("revision", "")
    if not repository:
        raise InputError(
            f"no ImageNet weights are published for the encoder {name}",
            where="--encoder-weights",
            hint="name a file, or `none`",
        )
    path = fetch_from_hub(repository, "model.safetensors", revision or "main")
    if not name.startswith("tu-"):
        load_file_into(encoder, path)
        return
    # timm itself translates a classifier's names to an encoder's, but skips what does not fit.
    # Loading the whole classifier first does not, and so refuses wrong files.
    overlay = {"pretrained_cfg_overlay": {"file": str(path)}}
    try:
        timm.create_model(name.removeprefix("tu-"), pretrained=True, **overlay)
        full = smp.encoders.get_encoder(name, weights=True, **overlay)
    except Exception as error:  # whatever timm raises for a wrong file
        raise WeightsError(
            f"these are not the weights of this encoder: {first_line(error)}",
            where=str(path),
            hint="delete it, and try again",
        ) from error
    encoder.load_state_dict(full.state_dict())


def load_file_into(encoder: nn.Module, path: Path) -> None:
    """Start an encoder from a file of weights: a classifier's, an encoder's or a segmenter's.

    Tensors are matched by name or, where the file uses other names, by their order; a classifier's
    last layers, which the encoder does not have, are left out.

    Args:
        encoder: to be filled.
        path: as `instyle_core.read_state_dict` takes it.

    Raises:
        WeightsError: the file is damaged, needs unpickling, or is of another network.
    """
    given = read_state_dict(path)
    state = encoder.state_dict()
    for found in (given, _of_a_network(given), _by_order(given, state)):
        if all(
            name in found and found[name].shape == wanted.shape for name, wanted in state.items()
        ):
            encoder.load_state_dict({name: found[name] for name in state})
            return
    raise WeightsError(
        f"these are not the weights of this encoder: it has {len(state)} tensors, and neither by "
        f"name nor by order do the {len(given)} of the file fit",
        where=str(path),
        hint="name the file's own encoder with --encoder",
    )


def _of_a_network(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's part of a network, such as a segmenter's."""
    prefix = "encoder."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in given.items()
        if name.startswith(prefix)
    }


def _by_order(given: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pair names by order, if their last parts agree: a bias may have the shape of a mean."""
    return {
        name: given[other]
        for name, other in zip(state, given, strict=False)
        if name.rpartition(".")[2] == other.rpartition(".")[2]
    }


def is_encoder(name: str) -> bool:
    """Whether smp has an encoder. No hub is asked: the name may be from a file of anyone's."""
    return name in smp.encoders.encoders or (
        name.startswith("tu-") and bool(timm.is_model(name.removeprefix("tu-")))
    )
