"""What a loss has to have, and losses that are functions of sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import Loss, LossParams, SummedLoss, Targets, View, testing


class Grayness(SummedLoss):
    """The mean square of how far the object's pixels are from middle gray."""

    def __init__(self, params: LossParams) -> None:
        self.asked = 0

    def prepare(self, targets: Targets) -> None: ...

    def sums(self, view: View) -> tuple[Tensor, ...]:
        self.asked += 1
        mask = view.mask()
        return ((mask * (view.image - 0.5) ** 2).sum(), 3 * mask.sum())

    def value(self, sums: tuple[Tensor, ...]) -> Tensor:
        return sums[0] / sums[1]


def test_a_summed_loss_is_its_value_of_its_sums() -> None:
    image, mask = testing.picture(12, 10), testing.disc(12, 10).decision
    loss = Grayness(LossParams())
    inside = mask[0].numpy() == 1
    expected = np.mean((image.numpy()[:, inside].astype(np.float64) - 0.5) ** 2)
    assert float(loss(testing.view(image, mask, LossParams()))) == pytest.approx(expected, rel=1e-6)
    assert loss.asked == 1


def test_the_sums_of_a_picture_are_those_of_its_parts_added_up() -> None:
    image, mask = testing.picture(12, 10).double(), testing.disc(12, 10).probability.double()
    loss = Grayness(LossParams())

    def view(rows: slice) -> View:
        return testing.view(image[:, rows], mask[:, rows], LossParams())

    parts = [loss.sums(view(rows)) for rows in (slice(0, 5), slice(5, 12))]
    added = tuple(map(torch.add, *parts))
    whole = loss(view(slice(None)))
    torch.testing.assert_close(loss.value(added), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("base", "missing"), [(Loss, "prepare"), (Loss, "__call__"), (SummedLoss, "sums")]
)
def test_one_that_lacks_a_method_cannot_be_made(base: type[Loss], missing: str) -> None:
    whole = {name: lambda *_: None for name in ("prepare", "__call__", "sums", "value")}
    del whole[missing]
    with pytest.raises(TypeError, match=missing):
        type("Partial", (base,), whole)()
