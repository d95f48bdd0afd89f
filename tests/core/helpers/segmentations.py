"""Segmentations from drawings, and their connected components by scikit-image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label as components_of

from instyle_core.config.select import Select
from instyle_core.events import Event, Note
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.segmenter import Segmentation
from instyle_core.objects.select import select_object

Bits = NDArray[np.bool_]
CLASSES = ("background", "cat", "dog")


def select(**keys: Any) -> Select:
    return Select.model_validate({key.rstrip("_"): value for key, value in keys.items()})


def semantic(winner: NDArray[Any], sure: float = 0.8, classes: Sequence[str] = CLASSES) -> Any:
    """A segmentation in which the class number `winner` (H, W) has the probability `sure`."""
    count = len(classes)
    hot = np.arange(count)[:, None, None] == winner
    rest = (1 - sure) / max(1, count - 1)
    return Segmentation(tuple(classes), torch.tensor(np.where(hot, sure, rest)).float())


def drawn(*rows: str) -> NDArray[np.int64]:
    """Class numbers from a drawing: ``.`` is background, ``c`` a cat, ``d`` a dog."""
    return np.array([[".cd".index(letter) for letter in row] for row in rows])


def bits(mask: Mask) -> Bits:
    assert mask.decision.dtype == mask.probability.dtype == torch.float32
    assert set(mask.decision.unique().tolist()) <= {0.0, 1.0}
    return mask.decision[0].numpy() > 0


def selected(winner: NDArray[Any], **keys: Any) -> tuple[Bits, list[str]]:
    """The decision of the selected object, and the messages of notes."""
    events: list[Event] = []
    mask = select_object(semantic(winner), select(**keys), events.append)
    assert all(isinstance(event, Note) for event in events)
    return bits(mask), [event.message for event in events if isinstance(event, Note)]


@st.composite
def scenes(draw: st.DrawFn) -> NDArray[np.int64]:
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    density = draw(st.sampled_from([0.0, 0.1, 0.4, 0.6, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    occupied = random.random((height, width)) < density
    return np.where(occupied, random.integers(1, 3, (height, width)), 0)


def regions(occupied: Bits) -> list[Bits]:
    """Connected components (8 neighbors), largest first."""
    labels, count = components_of(occupied, connectivity=2, return_num=True)
    return sorted((labels == n for n in range(1, count + 1)), key=lambda part: -int(part.sum()))
