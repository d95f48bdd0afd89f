"""The transport loss against sorted projections in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import Targets, View, testing
from instyle_losses import transport
from instyle_losses.params import TransportParams
from instyle_losses.transport import TransportLoss
from instyle_losses.vectors import random_directions

LAYERS = ("a", "b")


@pytest.mark.parametrize("layers", [("a",), LAYERS])
def test_contract(layers: tuple[str, ...]) -> None:
    testing.check_loss(TransportLoss, TransportParams(layers=layers))


def rows(image: Tensor, mask: Tensor, params: TransportParams, layer: str) -> np.ndarray:
    """The vectors of the cells that are the object's by half or more, (n, C)."""
    maps = testing.view(image, mask, params).features("vgg19", layer)[0].numpy()
    _, height, width = maps.shape
    return np.array(
        [
            maps[:, y, x]
            for y in range(height)
            for x in range(width)
            if mask[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].numpy().mean() >= 0.5
        ]
    )


@pytest.mark.parametrize("style_size", [(24, 32), (20, 14)])
def test_value(evaluate, photo, picture, mask, monkeypatch, style_size) -> None:
    drawn: list[np.ndarray] = []

    def remembered(view: View, count: int, size: int) -> Tensor:
        directions = random_directions(view, count, size)
        drawn.append(directions.double().numpy())
        return directions

    monkeypatch.setattr(transport, "random_directions", remembered)
    params = TransportParams(layers=LAYERS, directions=5)
    style = testing.picture(*style_size, seed=5).double()
    value = evaluate(TransportLoss, params, photo, picture, mask, styles=[style], style_weights=[1])
    errors = []
    for layer, directions in zip(LAYERS, drawn, strict=True):
        assert directions.shape == (5, 6)
        ours = rows(picture, mask, params, layer)
        theirs = rows(style, torch.ones_like(style[:1]), params, layer)
        unit = np.sqrt((theirs**2).mean())
        places = (np.arange(len(ours)) + 0.5) / len(ours)
        for direction in directions:
            wanted = np.quantile(theirs @ direction, places, method="hazen")
            errors.append(np.abs(np.sort(ours @ direction) - wanted).mean() / unit)
    assert value == pytest.approx(np.mean(errors))


def halves(first: Tensor, second: Tensor, share: float) -> Tensor:
    """A picture (3, 24, 32) of two colors, the first of them in so large a share, from the left."""
    image = second[:, None, None].repeat(1, 24, 32)
    image[:, :, : round(32 * share)] = first[:, None, None]
    return image.double()


RED, BLUE = torch.tensor([0.9, 0.1, 0.2]), torch.tensor([0.1, 0.3, 0.8])


@pytest.mark.parametrize("samples", [64, 1024])
def test_styles_come_in_by_their_weights(evaluate, photo, mask, samples) -> None:
    """A style of 3/4 red and 1/4 blue, of pictures of other sizes, has room for no other shares."""
    params = TransportParams(layers=LAYERS, samples=samples)
    styles = [RED[:, None, None].expand(3, 10, 12), BLUE[:, None, None].expand(3, 30, 40)]
    plain = {"styles": [style.double() for style in styles], "style_weights": [0.75, 0.25]}
    everywhere = torch.ones_like(mask)
    values = [
        evaluate(TransportLoss, params, photo, halves(RED, BLUE, share), everywhere, **plain)
        for share in (0.75, 0.5, 1.0)
    ]
    assert values[0] < 0.1 * min(values[1:])


def test_samples_are_enough_for_a_rough_value(evaluate, photo, picture, mask) -> None:
    style = testing.picture(40, 48, seed=5).double()
    plain = {"styles": [style], "style_weights": [1]}
    values = [
        evaluate(
            TransportLoss,
            TransportParams(layers=LAYERS, samples=samples, directions=512),
            photo,
            picture,
            torch.ones_like(mask),
            **plain,
        )
        for samples in (64, 1024)
    ]
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], rel=0.2)


def test_where_things_are_is_no_style(evaluate, photo, picture, mask) -> None:
    params = TransportParams(layers=LAYERS)
    everywhere = torch.ones_like(mask)
    plain = {"styles": [picture.flip(2)], "style_weights": [1]}
    assert evaluate(TransportLoss, params, photo, picture, everywhere, **plain) < 1e-12
    assert evaluate(TransportLoss, params, photo, photo, everywhere, **plain) > 0.01


def test_brightness_is_relative_to_the_style(evaluate, photo, picture, mask) -> None:
    """The features of `testing.view` are squares: of half the brightness, they are a quarter."""
    params = TransportParams(layers=LAYERS)
    values = []
    for factor in (1, 0.5):
        torch.manual_seed(0)
        plain = {"styles": [factor * photo], "style_weights": [1]}
        values.append(evaluate(TransportLoss, params, photo, factor * picture, mask, **plain))
    assert values[1] == pytest.approx(values[0])


def test_no_object_no_loss(photo, picture, mask) -> None:
    params = TransportParams(layers=LAYERS)
    nothing, ones = torch.zeros_like(mask), torch.ones_like(mask)
    loss = TransportLoss(params)
    style = testing.view(photo, ones, params)
    loss.prepare(Targets(testing.view(photo, nothing, params), (style,), (1.0,)))
    image = picture.clone().requires_grad_()
    value = loss(testing.view(image, nothing, params))
    assert float(value.detach()) == 0
    assert not torch.autograd.grad(value, image)[0].any()


def test_tiles_give_the_same(in_tiles) -> None:
    """With fewer samples than there are cells, so that it matters which are drawn."""
    params = TransportParams(layers=("relu1_2", "relu2_1", "relu3_1"), samples=200, directions=8)
    (value, gradient), (whole, whole_gradient) = in_tiles(TransportLoss, params)
    assert whole > 0
    assert value == pytest.approx(whole, rel=1e-9)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-6, atol=1e-9)
    assert whole_gradient.any()
