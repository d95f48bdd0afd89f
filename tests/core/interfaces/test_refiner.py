"""What a refiner has to have."""

from __future__ import annotations

import pytest
from torch import Tensor

from instyle_core import Mask, Refiner, testing


class Nothing(Refiner):
    def refine(self, image: Tensor, mask: Mask) -> Mask:
        return mask


class Whole(Refiner):
    def refine(self, image: Tensor, mask: Mask) -> Mask:
        return Mask(mask.probability[:, 1:], mask.decision[:, 1:])


def test_refining_is_all_that_a_refiner_needs() -> None:
    testing.check_refiner(Nothing())
    with pytest.raises(TypeError, match="refine"):
        Refiner()  # type: ignore[abstract]


def test_a_mask_of_another_size_breaks_the_contract() -> None:
    with pytest.raises(AssertionError, match="shape"):
        testing.check_refiner(Whole())
