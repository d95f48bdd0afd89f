"""The refiners ``guided`` and ``grabcut``."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

import instyle_refiners
from instyle_core import Mask, Refiner, testing
from instyle_refiners.grabcut import GrabCutRefiner
from instyle_refiners.guided import GuidedRefiner
from instyle_refiners.params import GrabCutParams, GuidedParams

REFINERS = [GuidedRefiner(GuidedParams()), GrabCutRefiner(GrabCutParams())]
BOTH = pytest.mark.parametrize("refiner", REFINERS, ids=["guided", "grabcut"])


def test_they_are_announced() -> None:
    registry = testing.registry(instyle_refiners)
    assert [entry.plugin.name for entry in registry.entries("refiner")] == ["grabcut", "guided"]
    assert not registry.failures


@BOTH
def test_contract(refiner: Refiner) -> None:
    testing.check_refiner(refiner)


def blurred_off(true: Tensor, blur: int, shift: int) -> Mask:
    """What a coarse segmenter would make of a mask: soft, and some pixels to the right."""
    moved = torch.roll(true, shift, dims=2)
    padded = F.pad(moved[None], (blur,) * 4, mode="replicate")
    soft = F.avg_pool2d(padded, 2 * blur + 1, stride=1)[0]
    return Mask(soft, (soft > 0.5).float())


def scene(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A photo of a red disc before green, with noise, (3, H, W), and its mask (1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    true = testing.disc(size, size, radius=0.3).decision
    red, green = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.2, 0.6, 0.3])
    photo = torch.where(true > 0, red[:, None, None], green[:, None, None])
    noise = 0.05 * torch.randn(photo.shape, generator=generator)
    return (photo + noise).clamp(0, 1), true


def iou(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / torch.maximum(a, b).sum())


@pytest.mark.parametrize(("refiner", "left"), [(REFINERS[0], 0.6), (REFINERS[1], 0.2)])
@pytest.mark.parametrize("size", [120, 700])
def test_the_mask_comes_to_follow_the_edge(refiner: Refiner, left: float, size: int) -> None:
    photo, true = scene(size)
    coarse = blurred_off(true, blur=size // 60, shift=size // 60)
    refined = refiner.refine(photo, coarse)
    before = 1 - iou(coarse.decision, true)
    assert before > 0.04
    assert 1 - iou(refined.decision, true) < left * before


@BOTH
def test_a_mask_without_an_edge_nearby_stays(refiner: Refiner) -> None:
    photo = torch.full((3, 90, 120), 0.5)
    mask = blurred_off(testing.disc(90, 120).decision, blur=2, shift=0)
    assert iou(refiner.refine(photo, mask).decision, mask.decision) > 0.9


@BOTH
@pytest.mark.parametrize("size", [(1, 1), (2, 90), (90, 3), (5, 5)], ids=str)
def test_pictures_smaller_than_the_filter(refiner: Refiner, size: tuple[int, int]) -> None:
    ones = torch.ones(1, *size)
    refined = refiner.refine(testing.picture(*size), Mask(ones, ones))
    assert refined.probability.shape == (1, *size)
    assert refined.decision.all()


def by_the_book(
    image: NDArray[np.float64], p: NDArray[np.float64], radius: int, epsilon: float
) -> NDArray[np.float64]:
    """He, Sun and Tang 2010, equations 14 to 16 for a color guide, away from the border."""
    height, width = p.shape
    a = np.zeros((height, width, 3))
    b = np.zeros((height, width))
    r = radius
    for y in range(r, height - r):
        for x in range(r, width - r):
            window = image[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3)
            values = p[y - r : y + r + 1, x - r : x + r + 1].ravel()
            mean = window.mean(axis=0)
            covariance = np.cov(window.T, bias=True) + epsilon * np.eye(3)
            a[y, x] = np.linalg.solve(
                covariance, (window * values[:, None]).mean(axis=0) - mean * values.mean()
            )
            b[y, x] = values.mean() - a[y, x] @ mean
    out = np.zeros((height, width))
    for y in range(2 * r, height - 2 * r):
        for x in range(2 * r, width - 2 * r):
            mean_a = a[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3).mean(axis=0)
            out[y, x] = mean_a @ image[y, x] + b[y - r : y + r + 1, x - r : x + r + 1].mean()
    return out


def test_guided_is_the_papers_filter() -> None:
    photo, true = scene(40)
    coarse = blurred_off(true, blur=2, shift=1)
    params = GuidedParams(radius=0.1, epsilon=1e-3)
    refined = GuidedRefiner(params).refine(photo, coarse).probability[0].numpy()
    guide = photo.permute(1, 2, 0).double().numpy()
    expected = by_the_book(guide, coarse.probability[0].double().numpy(), 4, 1e-3).clip(0, 1)
    inner = slice(8, -8)
    np.testing.assert_allclose(refined[inner, inner], expected[inner, inner], atol=2e-4)


def test_guided_reaches_farther_with_a_larger_radius() -> None:
    photo, true = scene(120)
    coarse = blurred_off(true, blur=6, shift=6)
    near, far = (
        iou(GuidedRefiner(GuidedParams(radius=r)).refine(photo, coarse).decision, true)
        for r in (0.01, 0.08)
    )
    assert far > near + 0.02


def test_grabcut_leaves_what_is_sure() -> None:
    photo, true = scene(120)
    sure = torch.where(torch.roll(true, 20, dims=2) > 0, 0.95, 0.05)  # wrong, but sure of it
    mask = Mask(sure, (sure > 0.5).float())
    refined = GrabCutRefiner(GrabCutParams(sure=0.9)).refine(photo, mask)
    assert torch.equal(refined.decision, mask.decision)
    assert iou(refined.decision, true) < 0.7


def test_grabcut_does_not_depend_on_what_was_drawn_before() -> None:
    photo, true = scene(120)
    coarse = blurred_off(true, blur=4, shift=3)
    refiner = GrabCutRefiner(GrabCutParams())
    first = refiner.refine(photo, coarse)
    refiner.refine(testing.picture(80, 80), testing.disc(80, 80))
    assert torch.equal(refiner.refine(photo, coarse).probability, first.probability)
