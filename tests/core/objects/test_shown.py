"""What people are shown of what was found: specks only when they are meant."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instyle_core.config.select import Select
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.segmenter import Segmentation
from instyle_core.objects.select import candidates
from instyle_core.objects.shown import facts, shown


@pytest.fixture
def found() -> list:  # type: ignore[type-arg]
    """A large object, a small one and a speck of the first class; one of the second."""
    labels = np.zeros((100, 100), int)
    labels[10:40, 10:40] = 1
    labels[60:70, 10:20] = 1
    labels[90, 90] = 1
    labels[60:80, 60:80] = 2
    probabilities = torch.from_numpy(np.stack([labels == k for k in range(3)])).float()
    segmentation = Segmentation(("background", "cat", "dog"), probabilities)
    return candidates(segmentation, Select())


def test_a_speck_is_left_out_unless_it_is_chosen(found: list) -> None:  # type: ignore[type-arg]
    names = [(c.class_name, number) for number, c in shown(found, None)]
    assert names == [("cat", 0), ("dog", 0), ("cat", 1)]
    speck = min(found, key=lambda candidate: candidate.area)
    names = [(c.class_name, number) for number, c in shown(found, [speck])]
    assert names == [("cat", 0), ("dog", 0), ("cat", 1), ("cat", 2)]


def test_facts(found: list) -> None:  # type: ignore[type-arg]
    (_, dog), *_ = [pair for pair in shown(found, None) if pair[1].class_name == "dog"]
    mask = torch.zeros(1, 100, 100)
    mask[:, 60:80, 61:80] = 1  # as it was refined
    assert facts(dog, 3, Mask(mask, mask), selected=True) == {
        "class": "dog",
        "instance": 3,
        "area": 0.038,
        "box": [61, 60, 80, 80],
        "confidence": 1.0,
        "selected": True,
    }
