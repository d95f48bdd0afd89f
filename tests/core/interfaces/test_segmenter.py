"""What a segmenter has to have, what it is told and what it returns."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
import torch
from torch import Tensor

from instyle_core import Instance, Prompt, Segmentation, Segmenter, testing


class Bright(Segmenter):
    """The brighter a pixel, the more it is of the object; told apart where that is asked for."""

    def __init__(self, *, instances: bool = False) -> None:
        self.instances = instances

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        object_ = image.mean(dim=0, keepdim=True)
        found = (Instance("bright", object_, 0.5),) if self.instances else None
        return Segmentation(("background", "bright"), torch.cat([1 - object_, object_]), found)


@pytest.mark.parametrize("instances", [False, True])
def test_segmenting_is_all_that_a_segmenter_needs(instances: bool) -> None:
    seen = testing.check_segmenter(Bright(instances=instances), testing.picture(9, 7), Prompt())
    assert seen.probabilities.shape == (2, 9, 7)
    assert (seen.instances is not None) == instances
    with pytest.raises(TypeError, match="segment"):
        Segmenter()  # type: ignore[abstract]


def test_a_prompt_may_say_nothing() -> None:
    assert not any(getattr(Prompt(), field.name) for field in fields(Prompt))


def test_one_point_or_class_and_the_first_of_several_are_the_same() -> None:
    """So a segmenter may read either, whichever the user wrote."""
    one = Prompt("cat", (1, 2))
    assert one == Prompt(points=((1, 2),), classes=("cat",))
    assert (one.points, one.classes) == (((1, 2),), ("cat",))
    several = Prompt(points=((3, 4), (1, 2)), classes=("dog", "cat"))
    assert (several.point, several.class_name) == ((3, 4), "dog")


def test_a_model_that_does_not_tell_objects_apart_has_no_instances() -> None:
    """None, which is not the same as having found none: `()`."""
    assert Segmentation(("background",), torch.ones(1, 2, 2)).instances is None


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Prompt(point=(1, 2)), "point"),
        (Instance("cat", torch.ones(1, 2, 2), 1.0), "score"),
        (Segmentation(("background",), torch.ones(1, 2, 2)), "classes"),
    ],
)
def test_nothing_of_it_can_be_changed(record: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(record, field, None)
