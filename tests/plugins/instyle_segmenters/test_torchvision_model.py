"""Networks of torchvision that tell the class of each pixel, against torchvision itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import get_model, get_model_weights

from instyle_core import InputError, Prompt, WeightsError, testing
from instyle_core.config.select import Select
from instyle_core.objects.select import select_object
from instyle_segmenters.params import TorchvisionParams
from instyle_segmenters.torchvision_model import Torchvision
from instyle_segmenters.weights import PUBLISHED, Model

SMALL = "lraspp_mobilenet_v3_large"
VOC = get_model_weights(SMALL).DEFAULT.meta["categories"]


def random_weights(model: str, classes: int, **options: Any) -> nn.Module:
    """A network with weights that tell classes apart; freshly made ones hardly do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model(
            model, weights=None, weights_backbone=None, num_classes=classes, **options
        )
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if name.startswith("classifier") and name.endswith("weight") and tensor.ndim == 4:
                    tensor.mul_(8)
    return network.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def small(folder: Path) -> Path:
    path = folder / "small.pth"
    torch.save(random_weights(SMALL, 21).state_dict(), path)
    return path


# --- the published weights ------------------------------------------------------------------------


def test_published_weights_are_loaded_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the head of the training's second loss, which is left out."""
    model: Model = "deeplabv3_mobilenet_v3_large"
    network = random_weights(model, 21, aux_loss=True)
    file = tmp_path / PUBLISHED[model].file
    torch.save(network.state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(PUBLISHED, model, replace(PUBLISHED[model], sha256=digest))
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    seen = Torchvision(TorchvisionParams(model=model, size=64)).segment(
        testing.picture(48, 64), Prompt()
    )
    assert seen.classes == ("background", *VOC[1:])
    image = F.interpolate(testing.picture(48, 64)[None], (64, 85), mode="bilinear", antialias=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normal = (image - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.no_grad():
        expected = network(normal)["out"].softmax(dim=1)
    expected = F.interpolate(expected, (48, 64), mode="bilinear")[0]
    assert (seen.probabilities - expected).abs().max() < 1e-5


def test_absent_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not downloaded") as caught:
        Torchvision(TorchvisionParams(model=SMALL))
    assert f"instyle models pull {PUBLISHED[SMALL].name}" in str(caught.value.hint)
    assert not (tmp_path / "cache").exists()


def test_nothing_else_is_downloaded(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", never)
    monkeypatch.setattr("torch.hub.download_url_to_file", never)
    monkeypatch.setattr("urllib.request.urlopen", never)
    Torchvision(TorchvisionParams(model=SMALL, weights=small))


def test_random_numbers_are_left_alone(small: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Torchvision(TorchvisionParams(model=SMALL, weights=small))
    assert torch.equal(torch.get_rng_state(), before)


# --- the classes of pixels ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(37, 48), (560, 540)])
def test_a_picture_is_seen_as_torchvision_shows_it(small: Path, size: tuple[int, int]) -> None:
    """`weights.transforms()` on the picture, then its own network, then the photo's size again."""
    image = testing.picture(*size)
    network = random_weights(SMALL, 21)
    with torch.no_grad():
        scores = network(get_model_weights(SMALL).DEFAULT.transforms()(image)[None])["out"]
    assert min(scores.shape[2:]) == 520
    expected = F.interpolate(scores.softmax(dim=1), size, mode="bilinear")[0]
    segmenter = Torchvision(TorchvisionParams(model=SMALL, weights=small))
    seen = testing.check_segmenter(segmenter, image, Prompt())
    assert seen.instances is None
    assert seen.classes == ("background", *VOC[1:])
    assert len(seen.probabilities.argmax(dim=0).unique()) > 1
    assert (seen.probabilities - expected).abs().max() < 1e-4


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 200), (9, 2)])
def test_pictures_of_any_shape(small: Path, size: tuple[int, int]) -> None:
    segmenter = Torchvision(TorchvisionParams(model=SMALL, weights=small, size=32))
    testing.check_segmenter(segmenter, testing.picture(*size), Prompt())


def test_gradients_are_neither_kept_nor_forbidden(small: Path) -> None:
    segmenter = Torchvision(TorchvisionParams(model=SMALL, weights=small, size=32))
    seen = segmenter.segment(testing.picture(8, 8), Prompt())
    assert not seen.probabilities.requires_grad
    weight = torch.ones(1, requires_grad=True)
    (seen.probabilities * weight).sum().backward()


def test_selecting(small: Path) -> None:
    """By class, point and box, with a network that knows red and blue."""
    segmenter = Torchvision(TorchvisionParams(model=SMALL, weights=small, size=64))

    class Colors(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            scores = torch.zeros(1, 21, *image.shape[2:])
            red, blue = image[:, 0] > 0, image[:, 2] > 0
            scores[:, VOC.index("cat")] = torch.where(red, 9.0, -9.0)
            scores[:, VOC.index("dog")] = torch.where(blue, 9.0, -9.0)
            return {"out": scores}

    segmenter._network = Colors()
    image = torch.zeros(3, 64, 64)
    image[0, 8:24, 8:24] = image[0, 40:52, 8:24] = image[2, 8:24, 40:56] = 1
    seen = segmenter.segment(image, Prompt())

    def box(**keys: Any) -> list[int]:
        mask = select_object(seen, Select.model_validate(keys)).decision[0]
        rows, columns = np.flatnonzero(mask.any(dim=1)), np.flatnonzero(mask.any(dim=0))
        return [int(n) for n in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]

    assert box(**{"class": "cat"}) == [8, 8, 24, 24]
    assert box(**{"class": "cat", "instance": 1}) == [8, 40, 24, 52]
    assert box(**{"class": "dog"}) == [40, 8, 56, 24]
    assert box(point=[45, 10]) == [40, 8, 56, 24]
    assert box(point=[10, 45]) == [8, 40, 24, 52]
    assert box(box=[0, 30, 64, 64]) == [8, 40, 24, 52]


# --- weights of one's own -------------------------------------------------------------------------


def test_classes_of_ones_own(folder: Path) -> None:
    save_file(random_weights(SMALL, 3).state_dict(), folder / "three.safetensors")
    names = ["background", "apple", "pear"]
    params = {"model": SMALL, "weights": folder / "three.safetensors", "size": 32}
    segmenter = Torchvision(TorchvisionParams.model_validate({**params, "classes": names}))
    seen = testing.check_segmenter(segmenter, testing.picture(20, 30), Prompt())
    assert seen.classes == tuple(names)
    for wrong, words in (
        (None, "3 classes, and their names are not given"),
        (["background", "apple"], "3 classes, and 2 are named"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            Torchvision(TorchvisionParams.model_validate({**params, "classes": wrong}))
        assert "classes: [background, ...]" in str(caught.value.hint)
        assert caught.value.where == str(folder / "three.safetensors")


@pytest.mark.parametrize("model", ["deeplabv3_mobilenet_v3_large", "fcn_resnet50"])
def test_weights_of_another_network(small: Path, model: Model) -> None:
    with pytest.raises(WeightsError, match=f"of another network than {model}") as caught:
        Torchvision(TorchvisionParams(model=model, weights=small))
    assert caught.value.where == str(small)


def test_weights_of_no_segmentation(folder: Path) -> None:
    path = folder / "classifier.pth"
    torch.save({"fc.weight": torch.ones(3, 3)}, path)
    with pytest.raises(WeightsError, match="it scores no classes") as caught:
        Torchvision(TorchvisionParams(model=SMALL, weights=path))
    assert caught.value.where == str(path)
