"""The depth loss against NumPy, and what it must not depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instyle_core import Targets, testing
from instyle_midas.depth import FLAT, DepthLoss
from instyle_midas.params import DepthParams

REDUCTIONS = ("relative", "mean", "sum")


@dataclass
class Seen:
    """A view whose depth map is given."""

    depth: Tensor
    cover: Tensor

    @property
    def image(self) -> Tensor:
        raise AssertionError("a depth loss looks at the depth alone")

    def mask(self, size: Any = None) -> Tensor:
        assert tuple(size) == tuple(self.cover.shape[-2:])
        return self.cover

    def features(self, extractor: str, layer: str) -> Tensor:
        assert (extractor, layer) == ("midas", "depth")
        return self.depth


def evaluate(photo: Tensor, picture: Tensor, mask: Tensor, **params: Any) -> Tensor:
    """Of maps (H, W): prepared on one, asked about the other."""
    loss = DepthLoss(DepthParams(**params))
    loss.prepare(Targets(Seen(photo[None, None], mask[None, None]), (), ()))
    return loss(Seen(picture[None, None], mask[None, None]))


def relief(seed: int, height: int = 24, width: int = 32, level: float = 900.0) -> Tensor:
    """A map as a network makes them: smooth, and all above 0."""
    return level * testing.picture(height, width, seed=seed)[0].double() + 300


def cover(height: int = 24, width: int = 32) -> Tensor:
    """A soft object that leaves a part of the picture out."""
    generator = torch.Generator().manual_seed(1)
    soft = torch.rand(height, width, generator=generator, dtype=torch.float64)
    return soft * testing.disc(height, width, radius=0.45).decision[0]


# --- the value ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("normalize", [True, False])
def test_value(normalize: bool, reduction: str) -> None:
    photo, picture, mask = relief(1), relief(2), cover()
    t, e, m = photo.numpy(), picture.numpy(), mask.numpy()
    if normalize:
        t, e = (
            (d - np.average(d, weights=m)) / np.sqrt(np.cov(d.ravel(), aweights=m.ravel(), ddof=0))
            for d in (t, e)
        )
    error, energy, count = ((m * values).sum() for values in ((e - t) ** 2, t**2, np.ones_like(t)))
    expected = error / {"relative": energy, "mean": count, "sum": 1}[reduction]
    value = evaluate(photo, picture, mask, normalize=normalize, reduction=reduction)
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_it_tells_the_correlation() -> None:
    photo, picture, mask = relief(1), relief(2), cover()
    covariance = np.cov(
        np.stack([photo.numpy().ravel(), picture.numpy().ravel()]), aweights=mask.numpy().ravel()
    )
    r = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert float(evaluate(photo, picture, mask)) == pytest.approx(2 * (1 - r))
    assert float(evaluate(photo, -photo, mask)) == pytest.approx(4)


shifts = st.floats(-1e4, 1e4)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(a=st.floats(1e-3, 1e4), b=shifts, c=st.floats(0.1, 1e4), d=shifts, seed=st.integers(0, 9))
def test_scale_and_shift_are_not_seen(a: float, b: float, c: float, d: float, seed: int) -> None:
    """Neither of both maps together, nor of one by itself, until it counts as flat."""
    photo, picture, mask = relief(seed), relief(seed + 1), cover()
    value = float(evaluate(photo, picture, mask))
    assert value > 0.01
    together = evaluate(a * photo + b, a * picture + d, mask)
    assert float(together) == pytest.approx(value, rel=1e-6)
    assert float(evaluate(photo, c * picture + d, mask)) == pytest.approx(value, rel=1e-6)
    assert float(evaluate(photo, c * photo + d, mask)) == pytest.approx(0, abs=1e-12)


def test_scale_and_shift_are_seen_without_normalizing() -> None:
    photo, mask = relief(1), cover()
    for changed in (2 * photo, photo + 100):
        assert float(evaluate(photo, changed, mask, normalize=False)) > 1e-3
    double = evaluate(photo, 2 * photo, mask, normalize=False)
    assert float(double) == pytest.approx(1)  # relative: the error is as large as the photo


@pytest.mark.parametrize("normalize", [True, False])
def test_independent_of_size(normalize: bool) -> None:
    maps = relief(1), relief(2), cover()
    large = [values.repeat_interleave(2, 0).repeat_interleave(2, 1) for values in maps]
    small = evaluate(*maps, normalize=normalize)
    assert float(evaluate(*large, normalize=normalize)) == pytest.approx(float(small))


def test_what_is_outside_of_the_object_is_not_seen() -> None:
    photo, picture, mask = relief(1), relief(2), cover()
    other = torch.where(mask > 0, picture, relief(3))
    for normalize in (True, False):
        values = [evaluate(photo, p, mask, normalize=normalize) for p in (picture, other)]
        assert float(values[0]) == pytest.approx(float(values[1]), rel=1e-12)


# --- where there is nothing to compare ------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mask", ["none", "pixel", "part of a pixel", "two"])
def test_tiny_objects(mask: str, dtype: torch.dtype, normalize: bool, reduction: str) -> None:
    photo, picture = relief(1).to(dtype), relief(2).to(dtype).requires_grad_()
    weights = torch.zeros(24, 32, dtype=dtype)
    if mask != "none":
        weights[3, 4] = 1e-4 if mask == "part of a pixel" else 1
    if mask == "two":
        weights[20, 9] = 1
    value = evaluate(photo, picture, weights, normalize=normalize, reduction=reduction)
    (gradient,) = torch.autograd.grad(value, picture)
    assert bool(torch.isfinite(value))
    assert bool(torch.isfinite(gradient).all())
    if mask == "none" or (normalize and mask != "two"):
        assert float(value.detach()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_flat_maps(reduction: str, dtype: torch.dtype) -> None:
    flat, hills = torch.full((24, 32), 700, dtype=dtype), relief(2).to(dtype)
    for photo, picture in ((flat, flat), (flat, hills), (hills, flat)):
        moved = picture.clone().requires_grad_()
        value = evaluate(photo, moved, cover().to(dtype), reduction=reduction)
        (gradient,) = torch.autograd.grad(value, moved)
        assert bool(torch.isfinite(gradient).all())
        assert 0 <= float(value.detach()) < float("inf")
    assert float(evaluate(flat, flat, cover().to(dtype))) == 0


def test_the_noise_of_a_flat_object_does_not_count() -> None:
    """A board before hills: what is nothing beside the hills stays nothing."""
    mask = cover()
    hills = relief(1)
    noise = [
        torch.randn(24, 32, generator=torch.Generator().manual_seed(s)).double() for s in (1, 2)
    ]
    tiny = 0.01 * FLAT * float(hills.std())
    photo, picture = (torch.where(mask > 0, 700 + tiny * n, hills) for n in noise)
    assert float(evaluate(photo, picture, mask)) < 1e-3
    alone = evaluate(*noise, mask)
    assert float(alone) > 1  # by itself it is all that there is


# --- the contract ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("normalize", [True, False])
def test_contract(normalize: bool, reduction: Any) -> None:
    params = DepthParams(normalize=normalize, reduction=reduction)
    testing.check_loss(DepthLoss, params, reach=0)
