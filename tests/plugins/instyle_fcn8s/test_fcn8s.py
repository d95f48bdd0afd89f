"""The segmenter ``fcn8s``."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import instyle_fcn8s
from instyle_core import InputError, Prompt, WeightsError, testing
from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.segmenter import FCN8s


@pytest.fixture(scope="module")
def network() -> FCN:
    torch.manual_seed(0)
    return FCN(("background", "cat", "dog"), encoder="mobilenet_v2").eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, network: FCN) -> Path:
    path = tmp_path_factory.mktemp("fcn8s") / "network.safetensors"
    checkpoint.save(path, network)
    return path


def test_it_is_announced() -> None:
    registry = testing.registry(instyle_fcn8s)
    assert [entry.plugin.name for entry in registry.entries("segmenter")] == ["fcn8s"]
    assert not registry.failures


@pytest.mark.parametrize("size", [(64, 64), (45, 70), (1, 1)], ids=str)
def test_contract(file: Path, network: FCN, size: tuple[int, int]) -> None:
    image = testing.picture(*size)
    prompt = Prompt(class_name="giraffe")  # the core says that there is no such class
    seen = testing.check_segmenter(FCN8s(FCN8sParams(weights=file)), image, prompt)
    assert seen.classes == ("background", "cat", "dog")
    assert seen.instances is None
    with torch.no_grad():
        assert torch.equal(seen.probabilities, network(image[None]).softmax(dim=1)[0])


def test_a_large_picture_is_shrunk_for_the_network(file: Path, network: FCN) -> None:
    image = testing.picture(100, 200)
    segmenter = FCN8s(FCN8sParams(weights=file, size=64))
    seen = testing.check_segmenter(segmenter, image, Prompt())
    small = F.interpolate(image[None], (32, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network(small).softmax(dim=1)
    expected = F.interpolate(expected, (100, 200), mode="bilinear")[0]
    torch.testing.assert_close(seen.probabilities, expected)


def test_probabilities_can_weight_what_is_differentiated(file: Path) -> None:
    image = testing.picture(32, 32)
    mask = FCN8s(FCN8sParams(weights=file)).segment(image, Prompt()).probabilities[:1]
    image.requires_grad_()
    (image * mask).sum().backward()
    assert image.grad is not None


def test_no_weights_yet() -> None:
    with pytest.raises(WeightsError, match="later release") as error:
        FCN8s(FCN8sParams())
    assert error.value.exit_status == 3
    assert "segmenter: {use: fcn8s, weights: file.safetensors}" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"encoder": "resnet34"}, "of the encoder mobilenet_v2, not resnet34"),
        ({"variant": "32s"}, "of the variant 8s, not 32s"),
    ],
)
def test_weights_of_another_network(file: Path, params: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FCN8s(FCN8sParams.model_validate({"weights": file, **params}))


def test_weights_of_the_network_that_was_asked_for(file: Path) -> None:
    FCN8s(FCN8sParams(weights=file, encoder="mobilenet_v2", variant="8s"))
