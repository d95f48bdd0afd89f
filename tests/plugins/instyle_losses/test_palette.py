"""The palette loss against SciPy's distance of what is projected."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from instyle_core import Targets, View, testing
from instyle_losses import palette
from instyle_losses.palette import PaletteLoss
from instyle_losses.params import PaletteParams
from instyle_losses.vectors import random_directions


@pytest.mark.parametrize("directions", [1, 32])
def test_contract(directions: int) -> None:
    testing.check_loss(PaletteLoss, PaletteParams(directions=directions), reach=0)


def test_value(evaluate, photo, picture, monkeypatch) -> None:
    drawn: list[np.ndarray] = []

    def remembered(view: View, count: int, size: int) -> Tensor:
        directions = random_directions(view, count, size)
        drawn.append(directions.double().numpy())
        return directions

    monkeypatch.setattr(palette, "random_directions", remembered)
    mask = torch.zeros_like(photo[:1])
    mask[:, 6:18, 8:24] = 1
    ours = picture[:, 6:18, 8:24].flatten(1).T.numpy()
    params = PaletteParams(directions=6)
    style = photo[:, 6:18, 8:24]
    plain = {"styles": [style], "style_weights": [1]}
    value = evaluate(PaletteLoss, params, photo, picture, mask, **plain)
    theirs = style.flatten(1).T.numpy()
    (directions,) = drawn
    assert directions.shape == (6, 3)
    expected = [wasserstein_distance(ours @ way, theirs @ way) for way in directions]
    assert value == pytest.approx(np.mean(expected))


def flat(*colors: tuple[float, float, float]) -> Tensor:
    """Columns of colors, 8 pixels wide each, 24 high."""
    image = torch.tensor(colors, dtype=torch.float64).T[:, None]
    return image.repeat_interleave(8, dim=2).repeat(1, 24, 1)


def test_colors_that_are_off_by_a_gray(evaluate, photo, mask) -> None:
    """About so much: a direction of unit length has a mean component along (1, 1, 1) / sqrt(3) of
    1/2 in absolute value, and 0.2 gray is 0.2 sqrt(3) long.
    """
    params = PaletteParams(directions=4096)
    plain = {"styles": [0.8 * photo], "style_weights": [1]}
    ones = torch.ones_like(mask)
    value = evaluate(PaletteLoss, params, photo, 0.8 * photo + 0.2, ones, **plain)
    error = 0.2 * 3**0.5 * (1 / 12 / 4096) ** 0.5  # of components that are uniform in [0, 1]
    assert value == pytest.approx(0.2 * 3**0.5 / 2, abs=5 * error)


RED, BLUE, GREEN = (0.9, 0.1, 0.2), (0.1, 0.3, 0.8), (0.2, 0.7, 0.2)


def test_styles_come_in_by_their_weights(evaluate, photo, mask) -> None:
    """3/4 of one style and 1/4 of another, though they are of other sizes."""
    styles = [flat(RED)[:, :6], flat(BLUE, BLUE, BLUE)]
    plain = {"styles": styles, "style_weights": [0.75, 0.25]}
    ones = torch.ones_like(mask)
    pictures = [(RED, RED, RED, BLUE), (RED, RED, BLUE, BLUE), (RED,) * 4, (RED, RED, RED, GREEN)]
    values = [
        evaluate(PaletteLoss, PaletteParams(), photo, flat(*colors), ones, **plain)
        for colors in pictures
    ]
    # There is a value between red and blue where as many of theirs as there are of ours are made.
    assert values[0] < 0.1 * min(values[1:])


def test_only_the_object_counts(evaluate, photo, picture) -> None:
    mask = testing.disc(24, 32).decision.double()
    other = torch.where(mask > 0, picture, 1 - picture)
    plain = {"styles": [photo], "style_weights": [1]}
    values = []
    for image in (picture, other):
        torch.manual_seed(0)
        values.append(evaluate(PaletteLoss, PaletteParams(), photo, image, mask, **plain))
    assert values[0] == values[1] > 0


def test_some_pixels_are_enough_for_a_rough_value(evaluate, photo, picture, mask) -> None:
    plain = {"styles": [photo], "style_weights": [1]}
    values = []
    for samples in (64, 4096):
        params = PaletteParams(samples=samples, directions=512)
        values.append(evaluate(PaletteLoss, params, photo, picture, torch.ones_like(mask), **plain))
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], rel=0.3)


def test_no_object_no_loss(photo, picture, mask) -> None:
    params, nothing, ones = PaletteParams(), torch.zeros_like(mask), torch.ones_like(mask)
    loss = PaletteLoss(params)
    style = testing.view(photo, ones, params)
    loss.prepare(Targets(testing.view(photo, nothing, params), (style,), (1.0,)))
    image = picture.clone().requires_grad_()
    value = loss(testing.view(image, nothing, params))
    assert float(value.detach()) == 0
    assert not torch.autograd.grad(value, image)[0].any()


def test_tiles_give_the_same(in_tiles) -> None:
    params = PaletteParams(samples=500, directions=8)
    (value, gradient), (whole, whole_gradient) = in_tiles(PaletteLoss, params)
    assert whole > 0
    assert value == pytest.approx(whole, rel=1e-9)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-9, atol=1e-12)
    # One pixel of each share, and no other, has a gradient.
    assert 450 <= int(whole_gradient[0].any(dim=0).sum()) <= 500
