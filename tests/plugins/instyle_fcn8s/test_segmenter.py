"""The segmenter ``fcn8s``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Prompt, testing
from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.prior import with_prior
from instyle_fcn8s.segmenter import FCN8s


@pytest.fixture(scope="module")
def network() -> FCN:
    """With weights that a file can hold exactly, and scores that differ from class to class."""
    torch.manual_seed(0)
    network = FCN(("background", "cat", "dog"), encoder="mobilenet_v2")
    with torch.no_grad():
        for layer in network.score.values():
            layer.weight *= 500
    return network.half().float().eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, network: FCN) -> Path:
    path = tmp_path_factory.mktemp("fcn8s") / "network.safetensors"
    checkpoint.save(path, network)
    return path


def probabilities(network: FCN, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).softmax(dim=1)


#: One look at the picture, and nothing else.
PLAIN: dict[str, Any] = {"mirror": False, "scales": [1], "prior": 0}


@pytest.mark.parametrize("size", [(64, 64), (45, 70), (1, 1)], ids=str)
def test_contract(file: Path, network: FCN, size: tuple[int, int]) -> None:
    image = testing.picture(*size)
    prompt = Prompt(class_name="giraffe")  # the core says that there is no such class
    seen = testing.check_segmenter(FCN8s(FCN8sParams(weights=file, **PLAIN)), image, prompt)
    assert seen.classes == ("background", "cat", "dog")
    assert seen.instances is None
    assert torch.equal(seen.probabilities, probabilities(network, image[None])[0])


def test_the_mirrored_picture_counts_as_much(file: Path, network: FCN) -> None:
    image = testing.picture(45, 70)
    params = FCN8sParams(weights=file, **{**PLAIN, "mirror": True})
    seen = testing.check_segmenter(FCN8s(params), image, Prompt())
    one, other = (probabilities(network, picture[None])[0] for picture in (image, image.flip(2)))
    assert (one - other.flip(2)).abs().max() > 0.05
    torch.testing.assert_close(seen.probabilities, (one + other.flip(2)) / 2)
    back = FCN8s(params).segment(image.flip(2), Prompt()).probabilities
    torch.testing.assert_close(back.flip(2), seen.probabilities)


def test_a_large_picture_is_shrunk_for_the_network(file: Path, network: FCN) -> None:
    image = testing.picture(100, 200)
    params = FCN8sParams(weights=file, size=64, **PLAIN)
    seen = testing.check_segmenter(FCN8s(params), image, Prompt())
    small = F.interpolate(image[None], (32, 64), mode="bilinear", antialias=True)
    expected = F.interpolate(probabilities(network, small), (100, 200), mode="bilinear")[0]
    torch.testing.assert_close(seen.probabilities, expected)


def resized(image: Tensor, height: int, width: int, antialias: bool) -> Tensor:
    return F.interpolate(image, (height, width), mode="bilinear", antialias=antialias)


def test_several_scales(file: Path, network: FCN) -> None:
    """The mean over them; the picture is shorter than `size`, so they are of its own side."""
    image = testing.picture(40, 80)
    params = FCN8sParams(weights=file, **{**PLAIN, "scales": [0.5, 1, 2]})
    seen = testing.check_segmenter(FCN8s(params), image, Prompt())
    small = probabilities(network, resized(image[None], 20, 40, True))
    large = probabilities(network, resized(image[None], 80, 160, False))
    expected = (
        resized(small, 40, 80, False)
        + probabilities(network, image[None])
        + resized(large, 40, 80, True)
    ) / 3
    torch.testing.assert_close(seen.probabilities, expected[0])


def test_the_prior_comes_last(file: Path) -> None:
    image = testing.picture(45, 70)
    plain = FCN8s(FCN8sParams(weights=file, prior=0)).segment(image, Prompt())
    seen = testing.check_segmenter(FCN8s(FCN8sParams(weights=file)), image, Prompt())
    torch.testing.assert_close(seen.probabilities, with_prior(plain.probabilities, 1))
    assert (seen.probabilities - plain.probabilities).abs().max() > 0.01


def test_probabilities_can_weight_what_is_differentiated(file: Path) -> None:
    image = testing.picture(32, 32)
    mask = FCN8s(FCN8sParams(weights=file)).segment(image, Prompt()).probabilities[:1]
    image.requires_grad_()
    (image * mask).sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"encoder": "resnet34"}, "of the encoder mobilenet_v2, not resnet34"),
        ({"variant": "32s"}, "of the variant 8s, not 32s"),
    ],
)
def test_weights_of_another_network(file: Path, params: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FCN8sParams.model_validate({"weights": file, **params})


def test_weights_of_the_network_that_was_asked_for(file: Path) -> None:
    FCN8s(FCN8sParams(weights=file, encoder="mobilenet_v2", variant="8s"))
