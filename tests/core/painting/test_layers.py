"""What a soft edge is mixed of, against closed forms and pymatting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instyle_core.painting.layers import layers_of
from instyle_core.testing import picture


def ramp(height: int, width: int) -> Tensor:
    """An edge as soft as half of the picture: (1, height, width)."""
    return torch.linspace(1.5, -0.5, width).clamp(0, 1).expand(1, height, width).contiguous()


def color(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue])[:, None, None]


@pytest.mark.parametrize("size", [(3, 9), (40, 50), (64, 30), (900, 1000)], ids=str)
def test_two_colors_are_told_apart(size: tuple[int, int]) -> None:
    """At (900, 1000), they are estimated on a smaller picture."""
    alpha, front, back = ramp(*size), color(0.9, 0.2, 0.1), color(0.1, 0.3, 0.8)
    own, behind = layers_of(alpha * front + (1 - alpha) * back, alpha)
    soft = ((alpha > 0.01) & (alpha < 1)).expand_as(own)
    torch.testing.assert_close(own[soft], front.expand_as(own)[soft], atol=0.01, rtol=0)
    torch.testing.assert_close(behind[soft], back.expand_as(own)[soft], atol=0.01, rtol=0)


def test_smooth_layers_are_those_of_pymatting() -> None:
    pymatting = pytest.importorskip("pymatting")
    front, back = 0.6 + 0.3 * picture(32, 40, seed=1), 0.4 * picture(32, 40, seed=2)
    alpha = ramp(32, 40)
    photo = alpha * front + (1 - alpha) * back
    pixels = photo.permute(1, 2, 0).double().numpy()
    theirs = pymatting.estimate_foreground_ml(
        pixels, alpha[0].double().numpy(), return_background=True
    )
    soft = (alpha > 0.05) & (alpha < 0.95)
    for ours, other, true in zip(layers_of(photo, alpha), theirs, (front, back), strict=True):
        other = torch.from_numpy(other).permute(2, 0, 1)
        mine, reference = (
            float(((layer - true).square() * soft).mean()) for layer in (ours, other)
        )
        assert mine < 1.2 * reference + 1e-4


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 20), width=st.integers(1, 20))
def test_they_mix_to_the_photo_and_copy_what_is_not_soft(
    seed: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    photo = 0.3 + 0.4 * torch.rand(3, height, width, generator=generator)
    alpha = (2 * torch.rand(1, height, width, generator=generator) - 0.5).clamp(0, 1)
    own, behind = layers_of(photo, alpha)
    hard = ((alpha == 0) | (alpha == 1)).expand_as(photo)
    assert torch.equal(own[hard], photo[hard])
    assert torch.equal(behind[hard], photo[hard])
    for layer in (own, behind):
        assert layer.min() >= 0
        assert layer.max() <= 1
    # Where neither color had to be cut off, the equation holds exactly.
    whole = ((own > 0) & (own < 1) & (behind > 0) & (behind < 1) & (alpha > 1 / 255)).all(dim=0)
    mixed = alpha * own + (1 - alpha) * behind
    torch.testing.assert_close(mixed[:, whole], photo[:, whole], atol=1e-5, rtol=0)


def test_without_a_soft_edge_nothing_is_computed() -> None:
    photo, alpha = picture(20, 20), torch.zeros(1, 20, 20)
    alpha[:, :, 10:] = 1
    own, behind = layers_of(photo, alpha)
    assert own is photo
    assert behind is photo
