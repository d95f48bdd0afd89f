"""Weight files of any origin, read without running code that may be in them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from instyle_core.errors import WeightsError

#: The keys under which training programs save a state_dict.
_WRAPPED = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; no code in it is ever run.

    Args:
        path: a safetensors file, or one that ``torch.save`` wrote: a state_dict, or a checkpoint
            with one in it.

    Raises:
        WeightsError: the file is missing or damaged, or holds Python objects or no state_dict.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if path.suffix == ".safetensors" or head[8:] == b"{":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about old formats, which are read as well
            data = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise _unusable(path, f"this is no safetensors file, or it is damaged: {error}") from error
    except pickle.UnpicklingError as error:
        # A plain pickle, or one that names a function or a class: torch refuses both.
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


def _state_dict(data: Any, path: Path) -> dict[str, Tensor]:
    for key in _WRAPPED:
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            data = data[key]
    if not (isinstance(data, Mapping) and data and all(isinstance(k, str) for k in data)):
        raise _unusable(path, "the file holds no state_dict, which would be tensors by name")
    state = {name: value for name, value in data.items() if isinstance(value, Tensor)}
    if not state:
        raise _unusable(path, "the file holds no tensors")
    return state


def _unusable(path: Path, what: str) -> WeightsError:
    return WeightsError(what, where=str(path), hint="check the path, or get the file again")
