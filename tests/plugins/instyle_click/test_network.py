"""The network: against an independent composition, and what must never change in it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_click.network import IMAGENET_MEAN, IMAGENET_STD, MAPS, ClickNet, fits

TINY = "tu-test_efficientnet"


def random(encoder: str = TINY, **options: object) -> ClickNet:
    """With statistics of its own."""
    torch.manual_seed(0)
    network = ClickNet(encoder=encoder, **options).eval()  # type: ignore[arg-type]
    for name, value in network.state_dict().items():
        if "running" in name:
            value.uniform_(0.5, 1.5)
    return network


def inputs(height: int, width: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return (
        torch.rand(2, 3, height, width, generator=draw),
        torch.rand(2, 4, height, width, generator=draw).round(),
    )


def composed(network: ClickNet, images: Tensor, maps: Tensor) -> Tensor:
    """The network once more; the maps join the features by a hook on the encoder's own forward."""
    w = dict(network.state_dict())
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        bias = w.get(f"{name}.bias")
        return F.conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2)

    def block(name: str, x: Tensor) -> Tensor:
        x = conv(f"{name}.0", x)
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(w[f"{name}.1.{key}"] for key in keys)).relu()

    told = conv("maps.2", conv("maps.0", maps, 2).relu(), 2)
    backbone = network.encoder.model
    strides = dict(zip(backbone.feature_info.module_name(), (2, 4, 8, 16, 32), strict=True))
    (stage,) = (name for name, stride in strides.items() if stride == 4)
    hook = backbone.get_submodule(stage).register_forward_hook(lambda *given: given[2] + told)
    *_, f4, f8, f16, f32 = network.encoder((images - mean) / std)
    hook.remove()

    def up(x: Tensor, factor: int) -> Tensor:
        size = [factor * side for side in x.shape[-2:]]
        return F.interpolate(x, size, mode="bilinear", align_corners=False)

    x = conv("lateral.3", f32) + conv("context", f32.mean((2, 3), keepdim=True))
    for number, features in ((2, f16), (1, f8), (0, f4)):
        x = block(f"blocks.{number}", up(x, 2) + conv(f"lateral.{number}", features))
    return up(conv("score", x), 4)


def test_forward() -> None:
    network = random()
    images, maps = inputs(64, 96)
    with torch.no_grad():
        actual = network(images, maps)
        expected = composed(network, images, maps)
    assert actual.shape == (2, 1, 64, 96)
    assert actual.std() > 0
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (97, 40)], ids=str)
def test_any_size(size: tuple[int, int]) -> None:
    """A picture and its maps are continued by their last row and column to multiples of 32."""
    network = random()
    images, maps = inputs(*size)
    rows, columns = (torch.arange(-(-side // 32) * 32).clamp(max=side - 1) for side in size)
    with torch.no_grad():
        actual = network(images, maps)
        continued = (planes[:, :, rows][..., columns] for planes in (images, maps))
        expected = composed(network, *continued)[..., : size[0], : size[1]]
    assert actual.shape == (2, 1, *size)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


def test_the_features_of_a_photo_serve_every_click() -> None:
    network = random()
    images, maps = inputs(64, 96)
    with torch.no_grad():
        features = network.look(images)
        assert features.shape[-2:] == (16, 24)
        one, other = (network.decode(features, given) for given in (maps, 1 - maps))
        torch.testing.assert_close(one, network(images, maps))
        torch.testing.assert_close(other, network(images, 1 - maps))
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("plane", range(MAPS))
def test_every_map_counts(plane: int) -> None:
    network = random()
    images, maps = inputs(64, 64)
    changed = maps.clone()
    changed[:, plane] = 1 - changed[:, plane]
    with torch.no_grad():
        assert (network(images, maps) - network(images, changed)).abs().max() > 1e-4


def test_an_encoder_with_its_own_normalization() -> None:
    ours, theirs = random(), random(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    images, maps = inputs(32, 32)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        same = theirs((images - mean) / std * 0.25 + 0.5, maps)
        torch.testing.assert_close(same, ours(images, maps), atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_weight() -> None:
    network = random().train()
    network(*inputs(64, 64)).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        # What batch normalization takes off again has no gradient but for rounding.
        assert weight.grad.abs().max() > 0, name


def test_weights_of_the_first_look() -> None:
    """Just those that `look` needs: with any other, the features stay the same."""
    network = random()
    images, _ = inputs(32, 32)
    network.look(images).square().mean().backward()
    needed = {name for name, weight in network.named_parameters() if weight.grad is not None}
    told = {id(weight) for weight in network.looking()}
    assert {name for name, weight in network.named_parameters() if id(weight) in told} == needed
    assert 0 < len(needed) < len([*network.encoder.parameters()])


def test_the_encoders_statistics_stay_in_training() -> None:
    torch.manual_seed(0)
    network = ClickNet(encoder=TINY)
    assert network.training
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(2):
        network(*inputs(64, 64))
        network.eval().train()
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    layers = {name.rpartition(".")[0] for name in changed}
    assert layers == {"blocks.0.1", "blocks.1.1", "blocks.2.1"}
    assert not any(
        layer.training for layer in network.encoder.modules() if isinstance(layer, nn.BatchNorm2d)
    )


def test_statistics_of_evaluation_are_used() -> None:
    network = random()
    images, maps = inputs(64, 64)
    with torch.no_grad():
        alone = network(images[:1], maps[:1])
        torch.testing.assert_close(alone, network(images, maps)[:1], atol=1e-5, rtol=1e-4)


# --- encoders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoder", [TINY, "tu-tf_efficientnet_lite0", "tu-mnasnet_small", "tu-efficientnetv2_rw_t"]
)
def test_encoders_that_fit(encoder: str) -> None:
    assert fits(encoder)
    with torch.device("meta"):
        network = ClickNet(encoder=encoder).eval()
        assert network(torch.zeros(1, 3, 40, 70), torch.zeros(1, 4, 40, 70)).shape[1:] == (
            1,
            40,
            70,
        )


@pytest.mark.parametrize(
    "encoder",
    [
        *("resnet34", "tu-test_resnet", "tu-mobilenetv3_large_100", "mobilenet_v2"),
        *("efficientnet-b0", "test_efficientnet", "tu-test_vit", "tu-nothing", "tu-", ""),
        *("tu-hf-hub:user/efficientnet_b0", "tu-tu-test_efficientnet"),
    ],
)
def test_encoders_that_do_not(encoder: str) -> None:
    assert not fits(encoder)


def test_the_size_of_what_ships() -> None:
    with torch.device("meta"):
        network = ClickNet()
    assert 2 * sum(value.numel() for value in network.state_dict().values()) < 12_000_000
