"""The paper's merger."""

from __future__ import annotations

import torch

from instyle_core import Mask, testing
from instyle_mergers.hard import HardMerger
from instyle_mergers.params import HardParams


def test_takes_each_pixel_from_one_side() -> None:
    content, stylized = testing.picture(seed=1), testing.picture(seed=2)
    mask = testing.disc()
    inside = (mask.decision > 0).expand_as(content)
    merged = HardMerger(HardParams()).merge(content, stylized, mask)
    assert torch.equal(merged[inside], stylized[inside])
    assert torch.equal(merged[~inside], content[~inside])


def test_only_the_decision_counts() -> None:
    """Not how sure the segmenter was: a probability of 0.4 shows nothing of the painting."""
    content, stylized = testing.picture(seed=1), testing.picture(seed=2)
    mask = testing.disc()
    unsure = Mask(0.4 + 0.2 * mask.decision, mask.decision)
    merger = HardMerger(HardParams())
    assert torch.equal(
        merger.merge(content, stylized, unsure), merger.merge(content, stylized, mask)
    )
    assert torch.equal(merger.paints(unsure), mask.decision)
