"""Weight files of any origin, read without running code that may be in them."""

from __future__ import annotations

import pickle
import warnings
import zipfile
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
        WeightsError: the file is missing or damaged, or holds Python objects or no state_dict, or
            a tensor that is not finite or larger in memory than in the file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if path.suffix == ".safetensors" or head[8:] == b"{":
            return _checked(load_file(path), path)
        if zipfile.is_zipfile(path):
            check_archive(path)
        with warnings.catch_warnings(action="ignore"):  # about old formats, which are read as well
            data = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
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
    return _checked(_state_dict(data, path), path)


def check_archive(path: Path) -> None:
    """Check what ``torch.save`` writes, a ZIP archive, which torch itself trusts.

    Its checksums are compared. Nothing in it is compressed, or it might unpack to any size.

    Raises:
        WeightsError: the file is damaged, or compressed.
        OSError, zipfile.BadZipFile: it cannot be read, or is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise _unusable(path, "the file is compressed, which no file of weights is")
        if damaged := archive.testzip():
            raise _unusable(path, f"the file is damaged: {damaged} has another checksum")


def is_plain(tensor: Tensor) -> bool:
    """Whether each number of a tensor is one of its file, so that it is no larger than that.

    Sparse tensors, those that show the same numbers again and again, and those without any content
    may be of any size.
    """
    is_dense = tensor.layout == torch.strided and tensor.device.type != "meta"
    return is_dense and tensor.nbytes <= tensor.untyped_storage().nbytes()


def _checked(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, tensor in state.items():
        if not is_plain(tensor):
            raise _unusable(
                path, f"the tensor '{name}' would be larger than the file that it is in"
            )
        # By blocks, so that no copy of it all is made; there are types that torch cannot compare.
        blocks = torch.split(tensor.reshape(-1), 2**20) if tensor.is_floating_point() else ()
        if not all(bool(block.float().isfinite().all()) for block in blocks):
            raise _unusable(path, f"the tensor '{name}' has values that are not finite")
    return state


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
