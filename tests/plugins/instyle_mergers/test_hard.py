"""The paper's merger."""

import torch

from instyle_core import testing
from instyle_mergers.hard import HardMerger
from instyle_mergers.params import HardParams


def test_takes_each_pixel_from_one_side() -> None:
    content, stylized = testing.picture(seed=1), testing.picture(seed=2)
    mask = testing.disc()
    inside = (mask.decision > 0).expand_as(content)
    merged = HardMerger(HardParams()).merge(content, stylized, mask)
    assert torch.equal(merged[inside], stylized[inside])
    assert torch.equal(merged[~inside], content[~inside])
