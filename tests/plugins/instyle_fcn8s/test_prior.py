"""Classes that cover little give way, and outlines stay."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_fcn8s.prior import with_prior


@given(st.integers(0, 999), st.floats(0, 3))
def test_by_the_formula(seed: int, strength: float) -> None:
    """Pixel by pixel."""
    draw = torch.Generator().manual_seed(seed)
    p = torch.rand(4, 3, 5, generator=draw, dtype=torch.float64).pow(3)
    p /= p.sum(dim=0)
    found = with_prior(p, strength)
    cover = [float(p[c].mean()) for c in range(4)]
    for row in range(3):
        for column in range(5):
            weights = [float(p[c, row, column]) * cover[c] ** strength for c in (1, 2, 3)]
            rest = 1 - float(p[0, row, column])
            expected = [rest * weight / sum(weights) for weight in weights]
            assert found[1:, row, column].tolist() == pytest.approx(expected, abs=1e-9)
    assert torch.equal(found[0], p[0])


def test_a_patch_in_an_animal() -> None:
    """Taken for another class by a little, it is not any more; by much, it stays."""
    p = torch.tensor([0.1, 0.8, 0.1]).view(3, 1, 1).repeat(1, 10, 10)
    p[:, 4:6, 4:6] = torch.tensor([0.1, 0.4, 0.5]).view(3, 1, 1)
    assert (with_prior(p, 1).argmax(dim=0) == 1).all()
    p[:, 4:6, 4:6] = torch.tensor([0.04, 0.06, 0.9]).view(3, 1, 1)
    assert torch.equal(with_prior(p, 1).argmax(dim=0), p.argmax(dim=0))


def test_background_alone() -> None:
    p = torch.zeros(3, 4, 4)
    p[0] = 1
    assert torch.equal(with_prior(p, 1), p)
