"""Mask R-CNN, which tells objects apart, against torchvision itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from instyle_core import InputError, Prompt, testing
from instyle_core.config.select import Select
from instyle_core.objects.select import select_object
from instyle_segmenters import torchvision_model
from instyle_segmenters.params import TorchvisionParams
from instyle_segmenters.torchvision_model import Torchvision
from instyle_segmenters.weights import Model

MASKRCNN: Model = "maskrcnn_resnet50_fpn"


COCO = get_model_weights(MASKRCNN).DEFAULT.meta["categories"]


@pytest.fixture(scope="module")
def apart() -> tuple[Torchvision, nn.Module]:
    """The segmenter, and the network itself, with the same weights; what they find is random."""
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
    both = [name for name in COCO[1:] if name not in (*seen.classes, "N/A")][:2]
    asked = testing.check_segmenter(segmenter, image, Prompt(classes=tuple(both)))
    assert set(asked.classes) == {*seen.classes, *both}


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
