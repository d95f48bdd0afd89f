"""Segmenters that tell objects apart: their instances are the objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instyle_core.config.select import Select
from instyle_core.errors import InputError
from instyle_core.events import Event
from instyle_core.interfaces.segmenter import Instance, Segmentation
from instyle_core.objects.select import candidates, select_object
from tests.core.helpers.segmentations import CLASSES, select, semantic


def box_mask(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (6, 8)) -> torch.Tensor:
    mask = torch.zeros(1, *size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def told_apart() -> Segmentation:
    """Two cats that touch, and a dog that overlaps the second; the masks are the model's own."""
    instances = (
        Instance("cat", box_mask(0, 0, 2, 2) * 0.9, 0.7),
        Instance("cat", box_mask(2, 0, 6, 3) * 0.6, 0.9),
        Instance("dog", box_mask(5, 0, 8, 6) * 0.8, 0.8),
        Instance("dog", box_mask(0, 5, 8, 6) * 0.4, 0.1),  # nowhere decided for
    )
    return Segmentation(CLASSES, semantic(np.ones((6, 8), int)).probabilities, instances)


def test_a_model_that_tells_objects_apart_is_taken_at_its_word() -> None:
    seen, events = told_apart(), list[Event]()
    mask = select_object(seen, select(class_="cat"), events.append)
    assert torch.equal(mask.decision, box_mask(2, 0, 6, 3))
    assert torch.equal(mask.probability, box_mask(2, 0, 6, 3) * 0.6)
    assert len(events) == 1
    second = select_object(seen, select(class_="cat", instance=1))
    assert torch.equal(second.decision, box_mask(0, 0, 2, 2))
    with pytest.raises(InputError, match="no instance 2"):
        select_object(seen, select(class_="cat", instance=2))


def test_all_of_a_models_objects_are_joined_by_the_maximum() -> None:
    mask = select_object(told_apart(), select(instance="all"))
    expected = torch.stack(
        [box_mask(0, 0, 2, 2) * 0.9, box_mask(2, 0, 6, 3) * 0.6, box_mask(5, 0, 8, 6) * 0.8]
    ).amax(dim=0)
    assert torch.equal(mask.probability, expected)
    assert torch.equal(mask.decision, (expected > 0).float())


def test_a_point_keeps_the_models_objects_that_it_lies_in() -> None:
    seen = told_apart()
    assert torch.equal(select_object(seen, select(point=[0, 0])).decision, box_mask(0, 0, 2, 2))
    both = [select_object(seen, select(point=[5, 1], instance=n)).decision for n in (0, 1)]
    assert torch.equal(both[0], box_mask(5, 0, 8, 6))
    assert torch.equal(both[1], box_mask(2, 0, 6, 3))
    with pytest.raises(InputError, match="no object was found at the point"):
        select_object(seen, select(point=[0, 5]))  # the mask there stays below one half


def test_a_box_cuts_the_models_objects() -> None:
    mask = select_object(told_apart(), select(box=[0, 0, 3, 6]))
    assert torch.equal(mask.decision, box_mask(0, 0, 2, 2))
    with pytest.raises(InputError, match="no dog was found in the box"):
        select_object(told_apart(), select(class_="dog", box=[0, 0, 3, 6]))


def test_the_models_objects_come_by_falling_area() -> None:
    found = candidates(told_apart(), Select())
    assert [(c.class_name, c.area, c.score) for c in found] == [
        ("dog", 18, 0.8),
        ("cat", 12, 0.9),
        ("cat", 4, 0.7),
    ]
    assert [int(c.mask().decision.sum()) for c in found] == [18, 12, 4]
    assert not any(c.is_speck for c in found)
