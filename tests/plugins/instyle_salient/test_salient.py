"""The segmenter against preprocessing by Pillow and numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from instyle_core import Prompt, WeightsError, testing
from instyle_salient.models import MODELS, Name
from instyle_salient.params import SalientParams
from instyle_salient.salient import Salient
from tests.plugins.instyle_salient.networks import logits, save, sigmoid

#: Mean, standard deviation, whether the picture is divided by its largest value.
PREPROCESSING: dict[Name, tuple[list[float], list[float], bool]] = {
    "u2netp": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], True),
    "isnet-general-use": ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], False),
    "birefnet-general-lite": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], False),
}


def resized(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """By Pillow, which averages over what a pixel covers where the picture shrinks."""
    image = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32)


def by_hand(image: Tensor, name: Name, side: int) -> NDArray[np.float32]:
    """The probability (H, W)."""
    mean, std, brightest = PREPROCESSING[name]
    planes = np.stack([resized(plane, side, side) for plane in image.numpy()])
    if brightest:
        planes /= planes.max()
    planes = (planes - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    mask = sigmoid(logits(planes.astype(np.float32)))
    return resized(mask, image.shape[1], image.shape[2])


def salient(path: Path, model: Name = "u2netp", **settings: Any) -> Salient:
    return Salient(SalientParams(model=model, weights=path, **settings))


@pytest.mark.parametrize("name", list(PREPROCESSING))
@pytest.mark.parametrize("size", [(40, 60), (32, 32), (100, 33)])
def test_as_by_hand(tmp_path: Path, name: Name, size: tuple[int, int]) -> None:
    path = save(tmp_path / "net.onnx", sigmoid=not MODELS[name].is_logit)
    image = testing.picture(*size)
    before = image.clone()
    seen = testing.check_segmenter(salient(path, name), image, Prompt())
    assert torch.equal(image, before)
    assert seen.classes == ("background", "object")
    assert seen.instances is None
    expected = by_hand(image, name, 32)
    assert expected.std() > 0.03
    np.testing.assert_allclose(seen.probabilities[1], expected, atol=2e-3)


def test_the_size_of_the_network_where_its_file_leaves_it_open(tmp_path: Path) -> None:
    open_sides = {"shape": (1, 3, "h", "w"), "output": (1, 1, "h", "w")}
    image = testing.picture(50, 40)
    seen = salient(save(tmp_path / "net.onnx", **open_sides)).segment(image, Prompt())
    np.testing.assert_allclose(seen.probabilities[1], by_hand(image, "u2netp", 320), atol=2e-3)


def test_a_mask_is_not_stretched(tmp_path: Path) -> None:
    """Where nothing stands out, there is no object."""
    path = save(tmp_path / "net.onnx", scale=1e-3)
    seen = salient(path).segment(testing.picture(40, 60), Prompt())
    assert seen.probabilities[1].max() < 0.57


@pytest.mark.parametrize("size", [(1, 1), (3, 200)])
def test_pictures_of_any_form(onnx_file: Path, size: tuple[int, int]) -> None:
    for image in (testing.picture(*size), torch.zeros(3, *size), torch.ones(3, *size)):
        testing.check_segmenter(salient(onnx_file), image, Prompt())


def test_logits_that_are_taken_for_probabilities(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", sigmoid=False)
    segmenter = salient(path)
    with pytest.raises(WeightsError, match="is no probability") as caught:
        segmenter.segment(testing.picture(40, 60), Prompt())
    assert caught.value.where == str(path)
    assert "model: birefnet-general-lite" in str(caught.value.hint)
