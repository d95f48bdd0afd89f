"""The segmenter ``smp``: any network of segmentation-models-pytorch."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import (
    InputError,
    Prompt,
    Segmentation,
    Segmenter,
    WeightsError,
    did_you_mean,
    first_line,
)
from instyle_segmenters.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    enlarged,
    load_state,
    normalized,
    read_state,
    shrunk,
)
from instyle_segmenters.params import CONFIG, STATE, SmpParams
from instyle_segmenters.smp_hub import from_hub

#: Sides that every network takes are multiples of the first and at least the second: an encoder's
#: stride is up to 32, and some decoders pool further.
STRIDE, LEAST = 32, 128

#: The mean and standard deviation that encoders were trained with, by the beginning of their names,
#: where these are not ImageNet's. smp itself downloads a file to know them.
_PREPROCESSING: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
    "inception": ((0.5,) * 3, (0.5,) * 3),
    "xception": ((0.5,) * 3, (0.5,) * 3),
}


@dataclass(frozen=True)
class _Source:
    """What a network is, and where its weights are."""

    architecture: str
    encoder: str
    options: Mapping[str, Any]
    weights: Path

    @property
    def name(self) -> str:
        return f"{self.architecture} on {self.encoder}"


class Smp(Segmenter):
    """A network of segmentation-models-pytorch, with trained weights.

    The probabilities are the softmax of the scores at the size that the network sees, enlarged, or
    with a single channel their sigmoid. The picture is padded at its right and lower edge with its
    last pixels, to sides that are multiples of 32.

    A folder or a model of the hub is read as ``smp.from_pretrained`` does it, except that the
    encoder's ImageNet weights, which would be overwritten, are not downloaded. No file is
    unpickled.

    Raises:
        WeightsError: the weights are not there and cannot be downloaded, cannot be used, or are of
            another network.
        InputError: there is no such network, or there are not as many classes named as it has.
    """

    def __init__(self, params: SmpParams) -> None:
        source = _given(params) if params.weights else _described(params)
        state = read_state(source.weights)
        channels = _channels(state, source)
        self._classes = _names(params, channels, source.weights)
        self._network = _build(source, channels)
        load_state(self._network, state, source.weights, f"{source.name} with {channels} channels")
        mean, std = _preprocessing(source.encoder)
        self._mean = tuple(params.mean or mean)
        self._std = tuple(params.std or std)
        self._size = params.size

    # Not inference_mode: its tensors cannot be saved for a backward pass, and masks are.
    @torch.no_grad()
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture; the prompt is not used, since every class is found at once."""
        self._network.to(image.device)
        height, width = image.shape[1:]
        fixed = _fixed_size(self._network)
        shrink = min(1.0, self._size / max(height, width))
        if fixed:
            shrink = min(fixed[0] / height, fixed[1] / width)
        h, w = max(1, round(height * shrink)), max(1, round(width * shrink))
        seen = normalized(shrunk(image, (h, w)), self._mean, self._std)
        full = fixed or (max(LEAST, h + -h % STRIDE), max(LEAST, w + -w % STRIDE))
        right, below = full[1] - w, full[0] - h
        scores = self._network(F.pad(seen, (0, right, 0, below), mode="replicate"))
        if isinstance(scores, tuple):  # the second is the class of the whole picture
            scores = scores[0]
        scores = scores[0, :, :h, :w]
        if len(scores) == 1:
            probability = scores.sigmoid()
            probabilities = torch.cat([1 - probability, probability])
        else:
            probabilities = scores.softmax(dim=0)
        return Segmentation(self._classes, enlarged(probabilities, (height, width)))


# --- which network --------------------------------------------------------------------------------


def _given(params: SmpParams) -> _Source:
    """The network that the parameters name."""
    assert params.weights
    return _Source(
        (params.architecture or "unet").lower(),
        params.encoder or "resnet34",
        params.options,
        params.weights,
    )


def _described(params: SmpParams) -> _Source:
    """The network that a folder or the hub describes."""
    assert params.source
    if os.path.isabs(params.source):
        config, weights = Path(params.source, CONFIG), Path(params.source, STATE)
    else:
        config, weights = from_hub(params.source)
    try:
        options = json.loads(config.read_text(encoding="utf-8"))
        source = _Source(
            str(options.pop("_model_class")).lower(), str(options["encoder_name"]), options, weights
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            "the file does not describe a network as `model.save_pretrained` does",
            where=str(config),
            hint="get it again, or name the file of the weights, the architecture and the encoder",
        ) from error
    for key, wanted, actual in (
        ("architecture", params.architecture, source.architecture),
        ("encoder", params.encoder, source.encoder),
    ):
        if wanted is not None and wanted.lower() != actual.lower():
            raise WeightsError(
                f"the weights are of the {key} {actual}, not {wanted}",
                where=str(config),
                hint=f"leave `{key}` out, or set it to {actual}",
            )
    own = {"_model_class", "encoder_name", "in_channels", "classes"}
    if options.get("in_channels", 3) != 3:
        raise WeightsError(
            f"the network wants pictures with {options['in_channels']} channels, not 3",
            where=str(config),
        )
    options = {key: value for key, value in options.items() if key not in own}
    return _Source(source.architecture, source.encoder, {**options, **params.options}, weights)


def _build(source: _Source, channels: int) -> nn.Module:
    """The network with random weights."""
    known = list(smp.MODEL_ARCHITECTURES_MAPPING)
    if source.architecture not in known:
        raise InputError(
            f"segmentation-models-pytorch {smp.__version__} has no architecture "
            f"'{source.architecture}'",
            hint=f"it has {', '.join(known)}",
        )
    options = {
        **source.options,
        "encoder_weights": None,  # they would be downloaded, and then overwritten
        "activation": None,  # scores are what is needed
    }
    # timm would read this file, whose weights are overwritten then; older ones even unpickle it.
    options.pop("checkpoint_path", None)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
            network: nn.Module = smp.create_model(
                source.architecture,
                encoder_name=_known_encoder(source.encoder),
                in_channels=3,
                classes=channels,
                **options,
            )
    except InputError:
        raise
    except Exception as error:  # whatever wrong options lead to
        raise InputError(
            f"the network {source.name} cannot be made: {first_line(error)}",
            hint="check `architecture`, `encoder` and `options`",
        ) from error
    return network


def _known_encoder(name: str) -> str:
    """Check the name of an encoder. One on a hub is refused, because it would be downloaded."""
    known = list(smp.encoders.encoders)
    of_timm = name.removeprefix("tu-").removeprefix("timm-")
    if name in known or (of_timm != name and not {":", "/"} & set(name)):
        return name  # timm refuses unknown names itself
    raise InputError(
        f"segmentation-models-pytorch {smp.__version__} has no encoder '{name}'",
        hint=did_you_mean(name, known)
        or "those of timm are called `tu-NAME`; the others are listed in smp's documentation",
    )


def _channels(state: Mapping[str, Tensor], source: _Source) -> int:
    """How many channels the network's last layer has."""
    biases = ("segmentation_head.0.bias", "segmentation_head.head.2.bias")
    heads = [name for name in state if name.startswith("segmentation_head.")]
    for name in (*biases, *heads[-1:]):
        if name in state and state[name].ndim:
            return int(state[name].shape[0])
    raise WeightsError(
        f"the file is of another network than {source.name}: it has no segmentation head",
        where=str(source.weights),
        hint="name the file of a whole network of segmentation-models-pytorch",
    )


def _names(params: SmpParams, channels: int, path: Path) -> tuple[str, ...]:
    """What the network's classes are called."""
    names = params.classes
    if channels == 1:
        names = names or ["object"]
        names = names if len(names) > 1 else ["background", *names]
    if names is None or len(names) != max(2, channels):
        given = f"and {len(names)} are named" if names else "and their names are not given"
        raise InputError(
            f"the weights have {channels} classes, {given}",
            where=str(path),
            hint="name them in their order, `classes: [background, ...]`",
        )
    return tuple(names)


# --- how it sees ----------------------------------------------------------------------------------


def _preprocessing(encoder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation that the encoder was trained with."""
    if encoder.startswith("tu-"):
        about = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
        return (about.mean, about.std) if about else (IMAGENET_MEAN, IMAGENET_STD)
    for prefix, values in _PREPROCESSING.items():
        if encoder.startswith(prefix):
            return values
    return IMAGENET_MEAN, IMAGENET_STD


def _fixed_size(network: nn.Module) -> tuple[int, int] | None:
    """The only (height, width) that a network takes, as some transformers of timm do; or None."""
    patches: Any = getattr(getattr(network.encoder, "model", None), "patch_embed", None)
    if getattr(patches, "strict_img_size", False) and getattr(patches, "img_size", None):
        height, width = patches.img_size
        return int(height), int(width)
    return None
