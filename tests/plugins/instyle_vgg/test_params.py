"""The layers with their strides and reaches, which weights are needed, and wrong parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from instyle_vgg.params import VGG19Params
from instyle_vgg.weights import IMAGENET1K_V1, OXFORD


def test_layers() -> None:
    layers = VGG19Params().layers()
    assert len(layers) == 32
    assert list(layers)[:5] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "conv2_1"]
    assert (layers["relu3_4"], layers["conv5_4"]) == (4, 16)


def test_the_weights_that_are_needed() -> None:
    assert VGG19Params().pretrained() == (OXFORD,)
    assert VGG19Params(weights="imagenet1k_v1").pretrained() == (IMAGENET1K_V1,)


@pytest.mark.parametrize(
    "layer", ["conv1_1", "relu1_2", "conv2_1", "relu3_1", "conv4_1", "conv5_4"]
)
def test_a_cell_depends_on_no_pixel_farther_than_its_reach(layer: str) -> None:
    """Walk back from one cell: each 3x3 kernel widens what it sees by a cell, pooling doubles it.

    A reach that is larger than needed by a cell would make tiles overlap for nothing.
    """
    params = VGG19Params()
    stride, reach = params.layers()[layer], params.reach(layer)
    seen = torch.zeros(1, 1, 1, 41)
    seen[..., 20] = 1
    block, number = int(layer[4]), int(layer[6])
    for level, count in reversed(
        [*zip(range(1, block), (2, 2, 4, 4), strict=False), (block, number)]
    ):
        for _ in range(count):
            seen = F.max_pool2d(seen, (1, 3), stride=1, padding=(0, 1))
        if level > 1:
            seen = seen.repeat_interleave(2, dim=3)
    pixels = seen.flatten().nonzero().flatten()
    before, after = 20 * stride - int(pixels[0]), int(pixels[-1]) - (21 * stride - 1)
    assert before == after
    assert before <= reach < before + stride


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"weights": "caffe"}, "weights"),
        ({"pooling": "mean"}, "pooling"),
        ({"padding": "reflect"}, "padding"),
        ({"scale": 0}, "scale"),
        ({"scale": 1001}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"layers": ["relu1_1"]}, "layers"),  # the losses say what they read
    ],
    ids=str,
)
def test_wrong_parameters(settings: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        VGG19Params(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
