"""The network, against the paper and against an independent composition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_fcn8s.network import FCN, IMAGENET_MEAN, IMAGENET_STD, bilinear_upsampling

VOC = ["background", *(f"class {number}" for number in range(1, 21))]
PET = ["background", "cat", "dog"]


def random(variant: str = "8s", encoder: str = "resnet18", **options: object) -> FCN:
    torch.manual_seed(0)
    network = FCN(PET, encoder=encoder, variant=variant, **options).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for layer in network.upsample.values():
            layer.weight.normal_(std=0.1)
    return network


# --- the paper's layers ---------------------------------------------------------------------------


def test_layers_of_the_paper() -> None:
    """Conv2d(512|256|128, 21, 1); ConvTranspose2d(21, 21, 4, 2, 1) twice and (21, 21, 16, 8, 4)."""
    network = FCN(VOC)
    shapes = {
        name: tuple(weight.shape)
        for name, weight in network.named_parameters()
        if not name.startswith("encoder.")
    }
    assert shapes == {
        "score.32.weight": (21, 512, 1, 1),
        "score.32.bias": (21,),
        "score.16.weight": (21, 256, 1, 1),
        "score.16.bias": (21,),
        "score.8.weight": (21, 128, 1, 1),
        "score.8.bias": (21,),
        "upsample.32.weight": (21, 21, 4, 4),
        "upsample.16.weight": (21, 21, 4, 4),
        "upsample.8.weight": (21, 21, 16, 16),
    }
    encoder = {name: tuple(weight.shape) for name, weight in network.encoder.named_parameters()}
    assert encoder["conv1.weight"] == (64, 3, 7, 7)
    assert encoder["layer4.2.conv2.weight"] == (512, 512, 3, 3)
    assert sum(weight.numel() for weight in network.encoder.parameters()) == 21_284_672


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [
        ("32s", {"32": (64, 32, 16)}),
        ("16s", {"32": (4, 2, 1), "16": (32, 16, 8)}),
        ("8s", {"32": (4, 2, 1), "16": (4, 2, 1), "8": (16, 8, 4)}),
    ],
)
def test_kernel_stride_and_padding(variant: str, sizes: dict[str, tuple[int, int, int]]) -> None:
    network = random(variant)
    assert list(network.score) == list(sizes)
    actual = {
        stride: (layer.kernel_size[0], layer.stride[0], layer.padding[0])
        for stride, layer in network.upsample.items()
    }
    assert actual == sizes
    assert all(layer.bias is None for layer in network.upsample.values())


# --- upsampling starts as bilinear interpolation --------------------------------------------------


@pytest.mark.parametrize("factors", [(32,), (2, 16), (2, 2, 8)], ids=str)
def test_stacks_start_by_interpolating_exactly(factors: tuple[int, ...]) -> None:
    stack = torch.nn.Sequential(*(bilinear_upsampling(2, factor) for factor in factors)).double()
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing="ij")
    coarse = torch.stack([torch.full_like(x, 3.0), 2 * x - 0.5 * y + 1])[None].double()
    # Cell i of the coarse map is centered at 32 (i + 1/2) - 1/2 of the fine one.
    fine_y, fine_x = torch.meshgrid(
        (torch.arange(256.0) + 0.5) / 32 - 0.5,
        (torch.arange(320.0) + 0.5) / 32 - 0.5,
        indexing="ij",
    )
    expected = torch.stack([torch.full_like(fine_x, 3.0), 2 * fine_x - 0.5 * fine_y + 1])[None]
    with torch.no_grad():
        actual = stack(coarse)
    inner = (..., slice(64, -64), slice(64, -64))
    torch.testing.assert_close(actual[inner], expected.double()[inner], atol=1e-9, rtol=0)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_it_is_torchs_interpolation(factor: int) -> None:
    coarse = torch.randn(1, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        actual = bilinear_upsampling(3, factor)(coarse)
    expected = F.interpolate(coarse, scale_factor=factor, mode="bilinear")
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(actual[inner], expected[inner], atol=1e-5, rtol=0)


class Told(torch.nn.Module):
    """An encoder whose features at strides 8, 16 and 32 are told beforehand."""

    def __init__(self, *features: Tensor) -> None:
        super().__init__()
        self.features = features

    def forward(self, _: Tensor) -> list[Tensor]:
        return [*self.features]


def test_an_8s_network_starts_by_interpolating_its_scores() -> None:
    """Scores of a constant and of a ramp, at all three strides, add up to thrice the same."""
    network = FCN(["background", "cat"], encoder="resnet18")
    for layer in network.score.values():
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[0, 0], layer.weight[1, 1], layer.bias[:] = 1, 1, 0
    height, width = 256, 320

    def scores(stride: int) -> Tensor:
        """3 and 2 x - y / 2 + 1, with x and y in pixels, at the middles of cells."""
        y, x = torch.meshgrid(
            *((torch.arange(side / stride) + 0.5) * stride - 0.5 for side in (height, width)),
            indexing="ij",
        )
        return torch.stack([torch.full_like(x, 3), 2 * x - y / 2 + 1])[None]

    def features(stride: int) -> Tensor:
        known = scores(stride)
        return F.pad(known, (0, 0, 0, 0, 0, network.score[str(stride)].in_channels - 2))

    network.encoder = Told(features(8), features(16), features(32))
    with torch.no_grad():
        actual = network(torch.zeros(1, 3, height, width))
    inner = (..., slice(64, -64), slice(64, -64))
    torch.testing.assert_close(actual[inner], 3 * scores(1)[inner], atol=1e-2, rtol=1e-5)


# --- the forward pass -----------------------------------------------------------------------------


def composed(network: FCN, images: Tensor) -> Tensor:
    """FCN-8s, -16s and -32s once more, in plain functions of the weights."""
    w = dict(network.named_parameters())
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    *_, f8, f16, f32 = network.encoder((images - mean) / std)

    def score(features: Tensor, stride: int) -> Tensor:
        return F.conv2d(features, w[f"score.{stride}.weight"], w[f"score.{stride}.bias"])

    def up(scores: Tensor, at: int, stride: int, padding: int) -> Tensor:
        kernel = w[f"upsample.{at}.weight"]
        return F.conv_transpose2d(scores, kernel, stride=stride, padding=padding)

    if network.variant == "32s":
        return up(score(f32, 32), 32, 32, 16)
    fused = score(f16, 16) + up(score(f32, 32), 32, 2, 1)
    if network.variant == "16s":
        return up(fused, 16, 16, 8)
    return up(score(f8, 8) + up(fused, 16, 2, 1), 8, 8, 4)


@pytest.mark.parametrize("variant", ["32s", "16s", "8s"])
def test_forward(variant: str) -> None:
    network = random(variant)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        actual = network(images)
        torch.testing.assert_close(actual, composed(network, images), atol=1e-5, rtol=1e-5)
    assert actual.shape == (2, 3, 64, 96)
    assert actual.std() > 0


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 65), (97, 40)], ids=str)
def test_any_size(size: tuple[int, int]) -> None:
    """A picture is continued by its last row and column to multiples of 32."""
    network = random()
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    rows, columns = (torch.arange(-(-side // 32) * 32).clamp(max=side - 1) for side in size)
    with torch.no_grad():
        actual = network(images)
        expected = composed(network, images[:, :, rows][..., columns])[..., : size[0], : size[1]]
    assert actual.shape == (1, 3, *size)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "tu-tf_efficientnet_lite0"])
def test_other_encoders(encoder: str) -> None:
    network = random(encoder=encoder)
    with torch.no_grad():
        assert network(torch.rand(1, 3, 40, 70)).shape == (1, 3, 40, 70)


def test_an_encoder_with_its_own_normalization() -> None:
    ours, theirs = random(), random(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        same = theirs((images - mean) / std * 0.25 + 0.5)
        torch.testing.assert_close(same, ours(images), atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_weight() -> None:
    network = random()
    network(torch.rand(1, 3, 64, 64)).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
