"""The networks of torchvision, against torchvision itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import get_model, get_model_weights

from instyle_core import InputError, Prompt, WeightsError, testing
from instyle_core.config.spec import Select
from instyle_core.objects.select import select_object
from instyle_segmenters import torchvision_model
from instyle_segmenters.params import TorchvisionParams
from instyle_segmenters.torchvision_model import Torchvision
from instyle_segmenters.weights import PUBLISHED, Model, tells_apart

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


@pytest.mark.parametrize("model", get_args(Model))
def test_the_published_weights_are_those_of_torchvision(model: Model) -> None:
    theirs = get_model_weights(model).DEFAULT
    ours = PUBLISHED[model]
    assert ours.url == theirs.url
    assert ours.file == theirs.url.rpartition("/")[2]
    assert f"-{ours.sha256}.pth" in theirs.url
    # torchvision counts in units of 2^20 bytes, and names them MB.
    assert ours.megabytes == pytest.approx(theirs.meta["_file_size"] * 2**20 / 1e6, abs=0.06)
    (score,) = [
        value
        for metrics in theirs.meta["_metrics"].values()
        for name, value in metrics.items()
        if name in ("miou", "mask_map")
    ]
    assert f"{score}%" in ours.summary
    assert (
        f"{len([c for c in theirs.meta['categories'][1:] if c != 'N/A'])} classes" in ours.summary
    )
    assert tells_apart(model) == ("mask_map" in str(theirs.meta["_metrics"]))


def test_all_of_them_are_announced() -> None:
    registry = testing.registry("instyle_segmenters")
    (entry,) = [e for e in registry.entries("segmenter") if e.plugin.name == "torchvision"]
    assert set(entry.plugin.weights) == set(PUBLISHED.values())
    assert len({weights.name for weights in PUBLISHED.values()}) == len(PUBLISHED)


def test_which_weights_a_run_needs(small: Path) -> None:
    assert TorchvisionParams(model=SMALL).pretrained() == (PUBLISHED[SMALL],)
    assert TorchvisionParams(model=SMALL, weights=small).pretrained() == ()


def test_published_weights_are_loaded_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the head of the training's second loss, which is left out."""
    model: Model = "deeplabv3_mobilenet_v3_large"
    network = random_weights(model, 21, aux_loss=True)
    torch.save(network.state_dict(), tmp_path / PUBLISHED[model].file)
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


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "deeplabv4"}, "model"),
        ({"classes": ["a", "a"]}, "differ from one another"),
        ({"classes": []}, "at least"),
        ({"size": 8}, "size"),
        ({"threshold": 2}, "threshold"),
        ({"weights": "no-such.pth"}, "no such file"),
    ],
)
def test_wrong_parameters(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TorchvisionParams.model_validate(keys)


# --- objects told apart ---------------------------------------------------------------------------

MASKRCNN: Model = "maskrcnn_resnet50_fpn"
COCO = get_model_weights(MASKRCNN).DEFAULT.meta["categories"]


@pytest.fixture(scope="module")
def apart(folder: Path) -> tuple[Torchvision, nn.Module]:
    """The segmenter, and the network itself, with the same weights; found objects are of chance."""
    torch.manual_seed(1)
    options = {"box_score_thresh": 0.0, "box_detections_per_img": 12}
    network = get_model(
        MASKRCNN,
        weights=None,
        weights_backbone=None,
        num_classes=91,
        min_size=64,
        max_size=107,
        **options,
    ).eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "predictor" in name and name.endswith("weight"):
                tensor.mul_(20)  # so that masks and classes differ
    state = network.state_dict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchvision_model, "read_state", lambda _: dict(state))
        params = {"model": MASKRCNN, "weights": __file__, "size": 64, "threshold": 0, "most": 12}
        segmenter = Torchvision(TorchvisionParams.model_validate(params))
    return segmenter, network


def test_objects_are_those_of_torchvision(apart: tuple[Torchvision, nn.Module]) -> None:
    """Label, score and mask of each, though we never have all masks at once as it does."""
    segmenter, network = apart
    image = testing.picture(60, 90)
    with torch.no_grad():
        (theirs,) = network([image])
    expected = [
        (COCO[label], float(score), mask)
        for label, score, mask in zip(
            theirs["labels"], theirs["scores"], theirs["masks"], strict=True
        )
        if COCO[label] != "N/A"
    ]
    seen = testing.check_segmenter(segmenter, image, Prompt())
    assert seen.instances is not None
    assert len(seen.instances) == len(expected) > 5
    for ours, (name, score, mask) in zip(seen.instances, expected, strict=True):
        assert (ours.class_name, ours.score) == (name, pytest.approx(score, abs=1e-6))
        assert (ours.mask - mask).abs().max() < 1e-5
    assert set(seen.classes) == {"background", *(name for name, _, _ in expected)}


def test_a_class_that_is_asked_for_is_there_even_if_it_was_not_found(
    apart: tuple[Torchvision, nn.Module],
) -> None:
    segmenter, _ = apart
    image = testing.picture(60, 90)
    seen = segmenter.segment(image, Prompt())
    absent = next(name for name in COCO[1:] if name not in (*seen.classes, "N/A"))
    asked = testing.check_segmenter(segmenter, image, Prompt(class_name=absent))
    assert set(asked.classes) == {*seen.classes, absent}
    assert float(asked.probabilities[asked.classes.index(absent)].max()) == 0
    with pytest.raises(InputError, match=f"no {absent} was found"):
        select_object(asked, Select.model_validate({"class": absent}))


@pytest.mark.parametrize("name", ["N/A", "kitten", "cats", "__background__", "background"])
def test_a_class_that_it_does_not_know(apart: tuple[Torchvision, nn.Module], name: str) -> None:
    with pytest.raises(InputError, match=f"does not know the class '{name}'") as caught:
        apart[0].segment(testing.picture(20, 20), Prompt(class_name=name))
    hint = str(caught.value.hint)
    assert "person, bicycle" in hint
    assert "N/A" not in hint
    assert ("did you mean 'cat'" in hint) == (name == "cats")


def objects(*found: tuple[str, float, tuple[int, int, int, int], float]) -> list[Any]:
    """What a trained network may have found: label, mask, score."""
    seen = []
    for name, score, (x0, y0, x1, y1), probability in found:
        mask = torch.zeros(1, 40, 60)
        mask[:, y0:y1, x0:x1] = probability
        seen.append((COCO.index(name), mask, score))
    return seen


def test_instances_are_picked_by_number(
    apart: tuple[Torchvision, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, _ = apart
    found = objects(
        ("cat", 0.9, (2, 2, 10, 10), 0.9),
        ("cat", 0.8, (10, 2, 40, 30), 0.9),  # they touch
        ("dog", 0.99, (30, 10, 60, 40), 0.8),
        ("person", 0.6, (0, 30, 5, 35), 0.4),  # nowhere sure
    )
    monkeypatch.setattr(segmenter, "_detect", lambda _: found)
    seen = testing.check_segmenter(segmenter, testing.picture(40, 60), Prompt())

    def area(**keys: Any) -> int:
        return int(select_object(seen, Select.model_validate(keys)).decision.sum())

    assert area(**{"class": "cat", "instance": 0}) == 30 * 28
    assert area(**{"class": "cat", "instance": 1}) == 8 * 8
    assert area(**{"class": "cat", "instance": "all"}) == 30 * 28 + 8 * 8
    assert area(instance=0) == 30 * 30
    assert area(point=[3, 3]) == 8 * 8
    assert area(box=[0, 0, 20, 12]) == 10 * 10  # of the large cat, which reaches further in
    with pytest.raises(InputError, match="no person was found"):
        area(**{"class": "person"})


def test_classes_are_composed_from_objects(
    apart: tuple[Torchvision, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, _ = apart
    found = objects(
        ("cat", 0.9, (0, 0, 20, 20), 0.9),
        ("cat", 0.5, (10, 0, 30, 20), 0.6),
        ("dog", 0.6, (10, 10, 40, 30), 0.8),
        ("person", 0.0, (50, 30, 60, 40), 0.7),
    )
    monkeypatch.setattr(segmenter, "_detect", lambda _: found)
    seen = testing.check_segmenter(segmenter, testing.picture(40, 60), Prompt())
    assert seen.classes == ("background", "person", "cat", "dog")  # in the network's order

    def at(x: int, y: int) -> list[float]:
        return [round(float(p), 4) for p in seen.probabilities[:, y, x]]

    assert at(45, 5) == [1, 0, 0, 0]
    assert at(5, 5) == [0.1, 0, 0.9, 0]
    assert at(15, 5) == [0.1, 0, 0.9, 0]  # the larger of two cats
    assert at(25, 5) == [0.4, 0, 0.6, 0]
    assert at(35, 25) == [0.2, 0, 0, 0.8]
    left = 1 - (1 - 0.9) * (1 - 0.8)  # cat and dog: by mask times confidence
    cat, dog = 0.9 * 0.9, 0.8 * 0.6
    assert at(15, 15) == [
        round(1 - left, 4),
        0,
        round(left * cat / (cat + dog), 4),
        round(left * dog / (cat + dog), 4),
    ]
    assert at(55, 35) == [1, 0, 0, 0]  # no confidence at all


def test_nothing_is_found(
    apart: tuple[Torchvision, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, _ = apart
    monkeypatch.setattr(segmenter, "_detect", lambda _: [])
    seen = testing.check_segmenter(segmenter, testing.picture(8, 9), Prompt())
    assert seen.classes == ("background",)
    assert seen.instances == ()
    with pytest.raises(InputError, match="no object was found"):
        select_object(seen, Select())


def test_threshold_and_number_of_objects(apart: tuple[Torchvision, nn.Module]) -> None:
    segmenter, network = apart
    heads: Any = network.roi_heads
    ours: Any = segmenter._network
    assert ours.roi_heads.score_thresh == heads.score_thresh == 0
    assert ours.roi_heads.detections_per_img == heads.detections_per_img == 12
    image = testing.picture(60, 90)
    everything = segmenter.segment(image, Prompt()).instances or ()
    limit = sorted(instance.score for instance in everything)[3]
    ours.roi_heads.score_thresh = limit
    try:
        sure = segmenter.segment(image, Prompt()).instances or ()
    finally:
        ours.roi_heads.score_thresh = 0
    assert [i.score for i in sure] == [i.score for i in everything if i.score > limit]


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (9, 2)])
def test_objects_in_pictures_of_any_shape(
    apart: tuple[Torchvision, nn.Module], size: tuple[int, int]
) -> None:
    testing.check_segmenter(apart[0], testing.picture(*size), Prompt())
