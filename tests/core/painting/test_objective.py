"""The objective of a crop at one size, against closed forms and numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.spec import Color, Style
from instyle_core.interfaces.loss import Targets
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.painting.crop import Crop
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.objective import Objective, Term, style_at, term_names
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture
from instyle_losses.params import ContentParams
from tests.core.helpers.level import Level, level
from tests.core.helpers.plans import STYLE, use

CPU = torch.device("cpu")
SIZE = (48, 40)


class CellsParams(ExtractorParams):
    """Of `PixelExtractor`, whose cells depend on their own pixels alone."""

    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}

    def reach(self, layer: str) -> int:
        return 0


class Recording(PixelExtractor):
    """Remembers the sizes of what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.sizes.append(tuple(images.shape[-2:]))
        return super().extract(images, layers)


def crop_of(size: tuple[int, int] = SIZE, **more: Any) -> Crop:
    mask = disc(*size).decision
    return Crop(picture(*size, seed=1), more.pop("paints", mask), mask, **{"styles": [], **more})


def objective(
    crop: Crop,
    losses: Sequence[Use] = (),
    size: tuple[int, int] = SIZE,
    *,
    style: Style = STYLE,
    extractor: PixelExtractor | None = None,
    tile: int = 0,
) -> Objective:
    losses = losses or [level()]
    terms = [Term(*pair) for pair in zip(term_names(losses), losses, strict=True)]
    stack = FeatureStack(
        {"pixels": extractor or PixelExtractor()},
        [term.reads for term in terms],
        CPU,
        params={"pixels": CellsParams()},
        tile=tile,
    )
    return Objective(crop, style, crop.palette(), terms, stack, None, size)


# --- terms ----------------------------------------------------------------------------------------


def test_terms_of_the_same_name_are_numbered() -> None:
    losses = [level(name=name) for name in ("style", "tv", "style", "style", "tv")]
    assert term_names(losses) == ["style", "tv", "style-2", "style-3", "tv-2"]
    assert len(set(term_names([level(name=n) for n in ("a", "a-2", "a")]))) == 3


def test_terms_are_their_losses_times_their_weights() -> None:
    crop, pixels = crop_of(), picture(*SIZE, seed=2)
    terms = objective(crop, [level(3, "a", 0.25), level(0.5, "a", 1.0)]).terms(pixels)
    inside = crop.mask[0].numpy() > 0
    seen = pixels.double().numpy()[:, inside]
    expected = {"a": 3 * ((seen - 0.25) ** 2).mean(), "a-2": 0.5 * ((seen - 1) ** 2).mean()}
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, rel=1e-5)


def test_a_term_knows_what_it_reads_and_whether_tiles_will_do() -> None:
    summed = use(
        "loss",
        ContentParams(extractor="pixels", layers=("cells",)),
        "instyle_losses.content:ContentLoss",
        weight=2.5,
    )
    content, whole = Term("content", summed), Term("level", level())
    assert (content.name, content.weight) == ("content", 2.5)
    assert dict(content.reads) == {"pixels": ("cells",)}
    stack = FeatureStack(
        {"pixels": PixelExtractor()}, [content.reads], CPU, params={"pixels": CellsParams()}
    )
    unknown = FeatureStack({"pixels": PixelExtractor()}, [content.reads], CPU)
    assert content.is_local(stack)
    assert not content.is_local(unknown)  # how far a cell sees
    assert not whole.is_local(stack)  # the loss is no sum over cells


# --- the composited picture -----------------------------------------------------------------------


def test_painted_pixels_are_composited_over_the_photo() -> None:
    wide = disc(*SIZE, radius=0.45).decision
    crop, pixels = crop_of(paints=wide), picture(*SIZE, seed=2)
    composed = objective(crop).compose(pixels)
    np.testing.assert_array_equal(composed, np.where(wide > 0, pixels, crop.content))


def test_only_painted_pixels_have_a_gradient() -> None:
    crop = crop_of(paints=disc(*SIZE, radius=0.2).decision)
    pixels = picture(*SIZE, seed=2).requires_grad_()
    sum(objective(crop).terms(pixels).values()).backward()
    has_gradient = (pixels.grad != 0).any(dim=0)
    np.testing.assert_array_equal(has_gradient, crop.paints[0] > 0)


def test_at_a_smaller_size_all_of_it_is_smaller() -> None:
    """With the mask by its coverage, and everything painted that a painted pixel falls into."""
    crop, size = crop_of((96, 80)), (24, 20)
    small = objective(crop, size=size)
    assert small.size == size
    blocks = crop.mask.numpy().reshape(24, 4, 20, 4)
    touched = blocks.max(axis=(1, 3)) > 0
    photo = F.interpolate(crop.content[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    composed = small.compose(torch.full((3, *size), 0.5))
    np.testing.assert_array_equal(composed, np.where(touched, 0.5, photo))
    small.terms(torch.full((3, *size), 0.5))
    ((_, mask),) = Level.made[0].views
    np.testing.assert_allclose(mask[0, 0], blocks.mean(axis=(1, 3)), atol=1e-6)
    (targets,) = Level.made[0].targets
    np.testing.assert_array_equal(targets.content.image[0], photo)
    np.testing.assert_allclose(targets.content.mask()[0, 0], blocks.mean(axis=(1, 3)), atol=1e-6)


def test_a_picture_of_any_size_enters_at_its_own() -> None:
    crop, larger = crop_of(), picture(96, 80, seed=2)
    whole = objective(crop)
    entered = whole.enter(larger)
    shrunk = F.interpolate(larger[None], SIZE, mode="bicubic", antialias=True)[0].clamp(0, 1)
    np.testing.assert_array_equal(entered, np.where(crop.paints > 0, shrunk, crop.content))
    same = picture(*SIZE, seed=3)
    whole.enter(same).zero_()  # which is a picture of its own
    assert torch.equal(same, picture(*SIZE, seed=3))


def test_networks_see_gray_where_the_object_keeps_its_colors() -> None:
    crop = crop_of(color=Color(of="content", by="luminance"), styles=[picture(40, 40, seed=5)])
    pixels = 0.4 + 0.2 * picture(*SIZE, seed=2)
    whole = objective(crop)
    whole.terms(pixels)
    ((image, _),) = Level.made[0].views
    (targets,) = Level.made[0].targets
    weights = np.array([0.299, 0.587, 0.114])
    for seen, colored in ((image, whole.compose(pixels)), (targets.content.image, crop.content)):
        gray = np.tensordot(weights, colored.double().numpy(), axes=1)
        np.testing.assert_allclose(seen[0], np.broadcast_to(gray, (3, *SIZE)), atol=1e-6)


# --- tiles ----------------------------------------------------------------------------------------


def test_in_tiles_terms_are_the_same_and_losses_that_are_no_sums_see_all() -> None:
    size = (96, 128)
    crop, pixels = crop_of(size), picture(*size, seed=2)
    content = ContentParams(extractor="pixels", layers=("cells",))
    summed = use("loss", content, "instyle_losses.content:ContentLoss")
    whole = objective(crop, [summed, level(2)], size).terms(pixels)
    alone, both = Recording(), Recording()
    tiled = objective(crop, [summed], size, extractor=alone, tile=32).terms(pixels)
    mixed = objective(crop, [summed, level(2)], size, extractor=both, tile=32).terms(pixels)
    assert list(mixed) == list(whole) == ["contentloss", "level"]
    for name, value in whole.items():
        torch.testing.assert_close(mixed[name], value, rtol=1e-5, atol=0)
    torch.testing.assert_close(tiled["contentloss"], whole["contentloss"], rtol=1e-5, atol=0)
    assert max(alone.sizes) <= (32, 32)
    assert size in both.sizes


# --- styles ---------------------------------------------------------------------------------------


def styles_seen(scale: float, weights: list[float] | None, sizes: Sequence[Any]) -> Targets:
    style = Style.model_construct(images=[], weights=weights, scale=scale)
    pictures = [picture(*size, seed=index) for index, size in enumerate(sizes)]
    objective(crop_of((96, 128), styles=pictures), size=(96, 128), style=style)
    return Level.made[0].targets[0]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (1.0, [(128, 64), (64, 128), (128, 128)]),
        (0.5, [(64, 32), (32, 64), (64, 64)]),
        (2.0, [(256, 128), (128, 256), (256, 256)]),
        (0.3, [(64, 32), (32, 64), (38, 38)]),  # no side below 32
    ],
)
def test_the_style_scale_is_relative_to_the_crop(
    scale: float, expected: list[tuple[int, int]]
) -> None:
    targets = styles_seen(scale, None, [(80, 40), (50, 100), (200, 200)])
    assert [tuple(view.image.shape[-2:]) for view in targets.styles] == expected
    for view in targets.styles:
        assert bool((view.mask() == 1).all())
        assert view.mask().shape[-2:] == view.image.shape[-2:]


def test_style_weights_sum_to_one() -> None:
    sizes = [(64, 64), (64, 64), (64, 64)]
    assert styles_seen(1, [2, 1, 1], sizes).style_weights == pytest.approx((0.5, 0.25, 0.25))
    Level.made.clear()
    assert styles_seen(1, None, sizes).style_weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))


@given(
    size=st.tuples(st.integers(20, 300), st.integers(20, 300)),
    crop=st.tuples(st.integers(32, 300), st.integers(32, 300)),
    scale=st.floats(0.1, 2),
)
def test_a_style_picture_keeps_its_proportions(
    size: tuple[int, int], crop: tuple[int, int], scale: float
) -> None:
    resized = style_at(picture(*size), crop, scale)
    sides = resized.shape[1:]
    # The long side is `scale` times that of the crop, unless the short one would be below 32.
    longest = max(scale * max(crop), 32 * max(size) / min(size))
    for side, own in zip(sides, size, strict=True):
        assert abs(side - own * longest / max(size)) <= 0.5 + 1e-9
