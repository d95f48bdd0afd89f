"""What instyle expects of any loss, and what ``inks`` promises."""

from __future__ import annotations

import pytest
import torch
from instyle_core import Targets, testing
from kornia.color import lab_to_rgb, rgb_to_lab
from pydantic import ValidationError
from torch import Tensor

import instyle_inks
from instyle_inks.loss import InksLoss
from instyle_inks.params import InksParams

ONES = torch.ones(1, 32, 32)


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return testing.picture(seed=1)


@pytest.fixture(scope="module")
def style() -> Tensor:
    return testing.picture(seed=2).flip(0) ** 2


def value(
    picture: Tensor,
    photo: Tensor,
    *styles: Tensor,
    weights: tuple[float, ...] = (1.0,),
    mask: Tensor = ONES,
    **parameters: float,
) -> float:
    params = InksParams(**parameters)

    def view(image: Tensor, mask: Tensor = ONES) -> testing.PictureView:
        return testing.view(image, mask, params)

    loss = InksLoss(params)
    loss.prepare(Targets(view(photo, mask), tuple(map(view, styles)), weights))
    return float(loss(view(picture, mask)))


def test_instyle_finds_it() -> None:
    registry = testing.registry(instyle_inks)
    assert not registry.failures
    assert registry.find("loss", "inks").load() is InksLoss


@pytest.mark.parametrize("lightness", [0, 1])
@pytest.mark.parametrize("spread", [0, 2])
def test_contract(lightness: float, spread: float) -> None:
    params = InksParams(lightness=lightness, spread=spread)
    testing.check_loss(InksLoss, params, reach=0)


def test_begins_at_one_and_ends_at_the_style(photo: Tensor, style: Tensor) -> None:
    assert value(photo, photo, style) == pytest.approx(1)
    assert value(style, photo, style) == 0


def test_where_the_colors_are_does_not_matter(photo: Tensor, style: Tensor) -> None:
    assert value(style.flip(1), photo, style) == pytest.approx(0, abs=1e-6)


def test_reinhards_transfer_ends_at_zero(photo: Tensor, style: Tensor) -> None:
    lab, wanted = rgb_to_lab(photo), rgb_to_lab(style)
    mean, deviation = (f(lab, dim=(1, 2), keepdim=True) for f in (torch.mean, torch.std))
    to_mean, to_deviation = (f(wanted, dim=(1, 2), keepdim=True) for f in (torch.mean, torch.std))
    transferred = lab_to_rgb((lab - mean) / deviation * to_deviation + to_mean, clip=False)
    assert value(transferred, photo, style) == pytest.approx(0, abs=1e-3)


def test_lightness_left_out(photo: Tensor, style: Tensor) -> None:
    darker = rgb_to_lab(style)
    darker[0] -= 5
    darker = lab_to_rgb(darker, clip=False)
    assert value(darker, photo, style, lightness=0) == pytest.approx(0, abs=1e-4)
    assert value(darker, photo, style, lightness=1) > 0.01


def test_spread_left_out(photo: Tensor, style: Tensor) -> None:
    mean = rgb_to_lab(style).mean(dim=(1, 2), keepdim=True).expand(3, 32, 32)
    flat = lab_to_rgb(mean, clip=False)
    assert value(flat, photo, style, spread=0) == pytest.approx(0, abs=1e-4)
    assert value(flat, photo, style, spread=1) > 0.01


def test_two_styles_are_one_set_of_pixels(photo: Tensor, style: Tensor) -> None:
    other = testing.picture(seed=3)
    both = torch.cat([style[:, ::2], other[:, ::2]], dim=1)
    halves = torch.cat([style[:, ::2]] * 2, dim=1), torch.cat([other[:, ::2]] * 2, dim=1)
    assert value(both, photo, *halves, weights=(0.5, 0.5)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_flat_pictures_have_finite_gradients(style: Tensor, level: float) -> None:
    params = InksParams()
    flat = torch.full((3, 32, 32), level, requires_grad=True)
    loss = InksLoss(params)
    start = testing.view(flat.detach(), ONES, params)
    loss.prepare(Targets(start, (testing.view(style, ONES, params),), (1.0,)))
    (gradient,) = torch.autograd.grad(loss(testing.view(flat, ONES, params)), flat)
    assert gradient.isfinite().all()


def test_no_object(photo: Tensor, style: Tensor) -> None:
    assert value(style, photo, style, mask=torch.zeros(1, 32, 32)) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong", [{"lightness": -1}, {"lightness": 1.5}, {"spread": -1}, {"spred": 1}]
)
def test_bounds(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        InksParams(**wrong)
