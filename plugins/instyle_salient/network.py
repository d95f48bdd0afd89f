"""An ONNX file as a network with one picture in and one mask out."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from instyle_core import WeightsError, first_line

Plane = NDArray[np.float32]

#: The longest side of a picture that a network may ask for, in pixels.
LARGEST = 4096

#: Never report to standard error, which is the command's.
_SILENT = 4


class Network:
    """A network that onnxruntime computes on the CPU, with as many threads as torch.

    An ONNX file holds numbers and the names of operators that are part of onnxruntime: none of its
    content is run as code.

    Args:
        path: the file.
        size: the side of the square picture that it is given, where the file leaves it open.

    Attributes:
        size: the (height, width) of the picture that it takes.

    Raises:
        WeightsError: the file is no network of this kind.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # whatever onnxruntime makes of a damaged file
            raise self._unusable(
                f"onnxruntime {onnxruntime.__version__} cannot load the network: {_reason(error)}"
            ) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise self._unusable(f"the network has {len(inputs)} inputs instead of 1")
        kind, shape = inputs[0].type, inputs[0].shape
        if kind != "tensor(float)" or not _fits(shape, 3):
            raise self._unusable(
                f"the network's input is {kind} of the form {_form(shape)} instead of "
                f"tensor(float) of the form 1x3xHxW"
            )
        height, width = (side if isinstance(side, int) else size for side in shape[2:])
        if not 0 < min(height, width) <= max(height, width) <= LARGEST:
            raise self._unusable(f"the network wants pictures of {width}x{height} pixels")
        self.size = height, width
        self._input, self._output = inputs[0].name, self._session.get_outputs()[0].name

    def __call__(self, picture: Plane) -> Plane:
        """The mask (h, w) of a picture (3, H, W).

        Raises:
            WeightsError: the network fails, or its answer is not a mask, or not finite.
        """
        try:
            (mask,) = self._session.run([self._output], {self._input: picture[None]})
        except Exception as error:
            raise self._unusable(f"the network fails at a picture: {_reason(error)}") from error
        if getattr(mask, "dtype", None) != np.float32 or not _fits(mask.shape, 1) or not mask.size:
            form = _form(getattr(mask, "shape", ()))
            raise self._unusable(
                f"the network's first answer has the form {form} instead of 1x1xHxW, or is not "
                "float32"
            )
        if not np.isfinite(mask).all():
            raise self._unusable("the network's answer has values that are not finite")
        plane: Plane = mask[0, 0]
        return plane

    def _unusable(self, what: str) -> WeightsError:
        return WeightsError(
            what,
            where=str(self._path),
            hint="name the ONNX file of a U2-Net, IS-Net, BiRefNet or the like",
        )


def _fits(shape: Any, channels: int) -> bool:
    """Whether a shape is 1 x channels x H x W, or may be where it is left open."""
    return len(shape) == 4 and all(
        have == want or not isinstance(have, int)
        for have, want in zip(shape, (1, channels), strict=False)
    )


def _form(shape: Any) -> str:
    return "x".join(str(side if isinstance(side, int) else "?") for side in shape) or "a number"


def _reason(error: Exception) -> str:
    """What onnxruntime says, without its prefix."""
    return first_line(error).rpartition(" : ")[2]
