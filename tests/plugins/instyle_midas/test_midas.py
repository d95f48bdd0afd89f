"""The extractor ``midas`` against transformers, Pillow and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Targets, testing
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_midas.depth import DepthLoss
from instyle_midas.midas import Midas
from instyle_midas.params import DepthParams, MidasParams
from tests.plugins.instyle_midas import networks

NETWORKS = ("folder", "hybrid", "depth_anything")
MADE = {
    "folder": (networks.dpt, networks.processor()),
    "hybrid": (networks.hybrid, networks.processor()),
    "depth_anything": (networks.depth_anything, networks.processor(**networks.ANYTHING)),
}


@pytest.fixture(params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def extractor(name: str, request: pytest.FixtureRequest) -> Midas:
    return networks.extractor(request.getfixturevalue(name))


def measure(extractor: Midas, images: Tensor) -> Tensor:
    return extractor.extract(images, ["depth"])["depth"]


# --- what it computes -----------------------------------------------------------------------------


def test_contract(extractor: Midas) -> None:
    testing.check_extractor(extractor, MidasParams(model="dpt-large"))


@pytest.mark.parametrize("size", [(56, 56), (64, 64), (100, 70), (40, 90), (200, 230)])
def test_transformers_itself(extractor: Midas, name: str, size: tuple[int, int]) -> None:
    """Their processor and their network, and Pillow to bring the map to the picture's size."""
    make, processor = MADE[name]
    image = testing.picture(*size)
    prepared = processor(image, do_rescale=False, return_tensors="pt")["pixel_values"]
    predicted = networks.depth(make(), prepared)
    seen = Image.fromarray(predicted[0, 0].numpy(), mode="F")
    expected = np.asarray(seen.resize((size[1], size[0]), Image.Resampling.BICUBIC))
    found = measure(extractor, image[None])[0, 0]
    assert found.shape == size
    assert np.abs(found.numpy() - expected).max() < 1e-4 * expected.std()


def test_pictures_do_not_mix(midas: Midas) -> None:
    images = torch.stack([testing.picture(50, 70, seed=seed) for seed in (1, 2)])
    together = measure(midas, images)
    for image, depth in zip(images, together, strict=True):
        torch.testing.assert_close(measure(midas, image[None])[0], depth, rtol=1e-5, atol=1e-5)


def test_mixed_precision(midas: Midas) -> None:
    """bfloat16 has 8 bits; what losses get has the precision of the pixels."""
    images = testing.picture(64, 48)[None]
    stack = FeatureStack(
        {"midas": midas}, [{"midas": ["depth"]}], images.device, precision=torch.bfloat16
    )
    depth = stack.view(images, MaskPyramid(torch.ones_like(images[:, :1]))).features(
        "midas", "depth"
    )
    exact = measure(midas, images)
    assert depth.dtype == torch.float32
    assert 0 < float((depth - exact).abs().max() / exact.std()) < 0.2


def test_other_layers_are_not_made_up(midas: Midas) -> None:
    assert midas.extract(testing.picture()[None], []) == {}


# --- the gradient ---------------------------------------------------------------------------------


def objective(extractor: Midas, target: Tensor, mask: Tensor) -> Any:
    """The depth loss of a picture (3, H, W) with the extractor's own depth, as a run has it."""
    stack = FeatureStack({"midas": extractor}, [{"midas": ["depth"]}], target.device)
    masks = MaskPyramid(mask[None])
    loss = DepthLoss(DepthParams())
    with torch.no_grad():
        loss.prepare(Targets(stack.view(target[None], masks), (), ()))
    return lambda image: loss(stack.view(image[None], masks))


@pytest.mark.parametrize("size", [(64, 64), (48, 90)])
def test_gradient_is_that_of_finite_differences(extractor: Midas, size: tuple[int, int]) -> None:
    extractor.to(torch.device("cpu"), torch.float64)
    mask = testing.disc(*size).decision.double()
    function = objective(extractor, testing.picture(*size, seed=1).double(), mask)
    image = testing.picture(*size, seed=2).double().requires_grad_()
    (gradient,) = torch.autograd.grad(function(image), image)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(3):
            direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
            step = 1e-8 * direction
            difference = (function(image + step) - function(image - step)) / 2e-8
            expected = (gradient * direction).sum()
            assert abs(expected) > 1e-4
            torch.testing.assert_close(difference, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (150, 130)])
def test_gradient_reaches_every_pixel(midas: Midas, size: tuple[int, int]) -> None:
    """Where the picture is shrunk too: without antialiasing, most pixels would have none."""
    image = testing.picture(*size)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(measure(midas, image).std(), image)
    assert bool((gradient.abs().sum(dim=1) > 0).all())


def test_the_term_alone_pulls_a_wrong_depth_back(extractor: Midas) -> None:
    """From a picture whose depth is another one to the depth of the photo, by its pixels alone."""
    target = testing.picture(64, 80, seed=1)
    mask = testing.disc(64, 80, radius=0.4).decision
    function = objective(extractor, target, mask)
    pixels = testing.picture(64, 80, seed=2).requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=0.02)

    def correlation() -> float:
        with torch.no_grad():
            maps = [measure(extractor, image[None])[0][mask > 0] for image in (target, pixels)]
        return float(np.corrcoef(torch.stack(maps).numpy())[0, 1])

    first, before = float(function(pixels).detach()), correlation()
    for _ in range(120):
        optimizer.zero_grad()
        value = function(pixels)
        value.backward()
        optimizer.step()
        pixels.data.clamp_(0, 1)
    last, after = float(function(pixels).detach()), correlation()
    assert before < 0.8
    assert after > 0.95
    assert last < first / 20


def test_bicubic_antialiasing_is_that_of_pillow() -> None:
    """What the maps are compared with above, by itself."""
    values = testing.picture(30, 40)[0]
    for size in ((64, 50), (12, 17)):
        ours = F.interpolate(values[None, None], size, mode="bicubic", antialias=True)[0, 0]
        image = Image.fromarray(values.numpy(), mode="F")
        theirs = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        assert np.abs(ours.numpy() - np.asarray(theirs)).max() < 1e-5
