"""What a merger has to have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from instyle_core import Mask, Merger, testing


class Paste(Merger):
    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        return torch.where(mask.decision > 0, stylized, content)


def test_without_more_said_the_objects_own_pixels_are_painted() -> None:
    """Those of the decision; the probability, which spreads further, does not count."""
    decision = testing.disc(9, 7).decision
    mask = Mask(probability=torch.full_like(decision, 0.4), decision=decision)
    assert torch.equal(Paste().paints(mask), decision)
    assert 0 < float(decision.sum()) < decision.numel()


def test_merging_is_all_that_a_merger_needs() -> None:
    testing.check_merger(Paste())
    with pytest.raises(TypeError, match="merge"):
        Merger()  # type: ignore[abstract]
