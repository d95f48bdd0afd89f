"""Small networks with random weights as ONNX files, and what they compute, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_random = np.random.default_rng(0)

#: What the networks compute of R, G and B: weights and a bias, 1x1 convolutions.
WEIGHTS = _random.normal(0, 1.5, (1, 3, 1, 1)).astype(np.float32)
BIAS = np.array([0.2], np.float32)

Shape = Sequence[int | str]


def save(
    path: Path,
    *,
    shape: Shape = (1, 3, 32, 32),
    output: Shape = (1, 1, 32, 32),
    sigmoid: bool = True,
    scale: float = 1.0,
    inputs: int = 1,
    kind: int = TensorProto.FLOAT,
    extra: Sequence[Any] = (),
) -> Path:
    """Write a network that weighs the channels, and has a second output as U2-Net has.

    Args:
        path: the file.
        shape: of the input; names for sides that are left open.
        output: the shape that the file tells of the first output.
        sigmoid: whether it answers with probabilities.
        scale: a factor of its weights.
        inputs: how many there are; those after the first are not used.
        kind: the type of input and output.
        extra: further nodes, after "scores", which the first output then comes from as "more".
    """
    dtype = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    last = "more" if extra else "scores"
    nodes = [
        helper.make_node("Conv", ["picture", "weights", "bias"], ["scores"]),
        *extra,
        helper.make_node("Sigmoid" if sigmoid else "Identity", [last], ["mask"]),
        helper.make_node("Identity", ["scores"], ["side"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("picture", kind, shape)]
        + [helper.make_tensor_value_info(f"more{n}", kind, shape) for n in range(1, inputs)],
        [
            helper.make_tensor_value_info("mask", kind, output),
            helper.make_tensor_value_info("side", kind, None),
        ],
        [
            numpy_helper.from_array((scale * WEIGHTS).astype(dtype), "weights"),
            numpy_helper.from_array(BIAS.astype(dtype), "bias"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, path)
    return path


def logits(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network computes of a picture (3, h, w): (h, w)."""
    return np.asarray(np.einsum("chw,c->hw", picture, WEIGHTS[0, :, 0, 0]) + BIAS, np.float32)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)
