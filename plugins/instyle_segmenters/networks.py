"""What the segmenters with a network of someone else's share: weights and sizes."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import WeightsError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: Where training programs keep the state_dict in what they save.
_WRAPPED = ("state_dict", "model_state_dict", "model")
#: What they put before every name: Lightning's module, and torch's for several GPUs.
_PREFIXES = ("model.", "module.")

State = dict[str, Tensor]


def read_state(path: Path) -> State:
    """The tensors of a file by name; nothing in it is ever run.

    Args:
        path: safetensors, or what ``torch.save`` made of a state_dict, bare or within a checkpoint.

    Raises:
        WeightsError: the file is missing, damaged, holds Python objects or no state_dict.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if path.suffix == ".safetensors" or head[8:] == b"{":
            return load_file(path)
        with warnings.catch_warnings(
            action="ignore"
        ):  # of old formats, which are all the same here
            data = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise _unusable(path, f"this is no safetensors file, or it is damaged: {error}") from error
    except pickle.UnpicklingError as error:
        # A bare pickle, or one that names a function or class, which is what torch refuses.
        if head[:1] == b"\x80" or "global" in str(error).lower():
            raise WeightsError(
                "the file holds more than tensors, which instyle does not unpickle: a pickle can "
                "run any code",
                where=str(path),
                hint="save just the weights, with safetensors or as "
                "`torch.save(model.state_dict(), PATH)`",
            ) from error
        raise _unusable(path, "the file is damaged, or no file of weights") from error
    except Exception as error:  # whatever torch makes of bytes that are no weights
        raise _unusable(path, "the file is damaged, or no file of weights") from error
    return _state_dict(data, path)


def _state_dict(data: Any, path: Path) -> State:
    for key in _WRAPPED:
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            data = data[key]
    if not (isinstance(data, Mapping) and data and all(isinstance(k, str) for k in data)):
        raise _unusable(path, "the file holds no state_dict, which would be tensors by name")
    state = {name: value for name, value in data.items() if isinstance(value, Tensor)}
    if not state:
        raise _unusable(path, "the file holds no tensors")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def load_state(network: nn.Module, state: State, path: Path, what: str) -> None:
    """Put weights into a network, all of them and no others, and make it ready for use.

    Args:
        network: in any state.
        state: what `read_state` read.
        path: where from.
        what: what the network is, such as ``unet on resnet34 with 2 classes``.

    Raises:
        WeightsError: names or shapes differ; it names the first.
    """
    try:
        network.load_state_dict(state)  # which, with smp, knows the names of older versions
    except RuntimeError as error:
        raise WeightsError(
            f"the file is of another network than {what}: {_difference(network, state, error)}",
            where=str(path),
            hint="name the network that the weights were trained with",
        ) from error
    network.eval().requires_grad_(False)


def _difference(network: nn.Module, state: State, error: RuntimeError) -> str:
    wanted = network.state_dict()
    for name in [*wanted, *state]:
        have, want = (list(d[name].shape) if name in d else None for d in (state, wanted))
        if have != want:
            there = "absent" if have is None else f"{have}"
            here = "not known" if want is None else f"{want}"
            return f"the tensor '{name}' is {there} in the file and {here} in the network"
    return _line(error)


def shrunk(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (3, H, W) as a batch of one, (1, 3, h, w)."""
    if tuple(image.shape[1:]) == size:
        return image[None]
    return F.interpolate(image[None], size, mode="bilinear", antialias=True)


def enlarged(probabilities: Tensor, size: tuple[int, int]) -> Tensor:
    """Probabilities (K, h, w) at the size of the photo; they still sum to 1."""
    if tuple(probabilities.shape[1:]) == size:
        return probabilities
    return F.interpolate(probabilities[None], size, mode="bilinear")[0]


def normalised(image: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(N, 3, H, W) in [0, 1], less the mean and divided by the standard deviation."""
    shape = (3, 1, 1)
    return (image - image.new_tensor(mean).view(shape)) / image.new_tensor(std).view(shape)


def _unusable(path: Path, what: str) -> WeightsError:
    return WeightsError(what, where=str(path), hint="check the path, or get the file again")


def _line(error: Exception) -> str:
    """The first line of an error."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
