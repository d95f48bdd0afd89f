"""Stylizing a crop: the size that it is optimized at, what losses see, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.optimizer import Adam
from instyle_core.config.spec import Spec
from instyle_core.interfaces.pictures import Mask
from instyle_core.optimization.optimize import Outcome, Progress
from instyle_core.optimization.schedule import LARGEST_NARROW
from instyle_core.painting.crop import Crop, put_back
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize, working_size
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture
from tests.core.helpers.level import Counting, Level, level
from tests.core.helpers.plans import object_plan


def paint(
    crop: Crop,
    *,
    losses: Sequence[Use] = (),
    size: int = 128,
    extractor: PixelExtractor | None = None,
    on_step: Any = lambda progress: None,
    **optimizer: Any,
) -> Outcome:
    common = {"steps": 3, "scales": 1, "learning_rate": 0.5, "parametrization": "pixels"}
    settings = Adam(**{**common, **optimizer})
    plan = object_plan(losses or [level()])
    spec = Spec.model_construct(size=size, optimizer=settings)
    networks = Networks({"pixels": extractor or Counting()}, torch.device("cpu"), torch.float32, {})
    return stylize(crop, plan, spec, networks, on_step)


def crop_of(mask: Mask, content: Tensor, **more: Any) -> Crop:
    """The crop that is all of a picture."""
    styles = more.pop("styles", [picture(40, 40, seed=5)])
    return Crop(content, mask.decision, mask.decision, styles, **more)


# --- the size that it is worked at ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "size", "expected"),
    [
        ((300, 200), 512, (300, 200)),  # a smaller crop keeps the photo's own resolution
        ((512, 100), 512, (512, 100)),
        ((4000, 3000), 512, (512, 384)),
        ((1000, 2000), 256, (128, 256)),
        ((100, 50), 512, (128, 64)),  # one under 128 is enlarged to 128
        ((1, 1), 512, (128, 128)),
        ((128, 128), 512, (128, 128)),
        ((50, 100), 64, (32, 64)),  # but never above `size`
        ((40, 40), 64, (64, 64)),
        ((1, 50), 512, (32, 1600)),  # networks need some pixels
        ((5000, 100), 512, (1600, 32)),
        ((10, 300), 512, (32, 960)),
    ],
)
def test_working_size(own: tuple[int, int], size: int, expected: tuple[int, int]) -> None:
    assert working_size(own, size) == expected


@given(height=st.integers(1, 9000), width=st.integers(1, 9000), size=st.integers(32, 4096))
def test_working_size_keeps_to_the_rules(height: int, width: int, size: int) -> None:
    worked = working_size((height, width), size)
    longest, shortest = max(height, width), min(height, width)
    assert min(worked) >= 32
    # A narrow crop is longer, so that it keeps its proportions, but only so long.
    narrow = min(longest * 32 / shortest, LARGEST_NARROW)
    assert abs(max(worked) - max(min(size, max(longest, 128)), narrow)) <= 0.5 + 1e-6
    if narrow < LARGEST_NARROW:
        assert abs(worked[0] * width - worked[1] * height) <= height + width  # as rounded


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 30), (30, 1), (33, 65), (129, 200), (2, 3)]
)
def test_any_crop_comes_back_at_its_own_size(height: int, width: int) -> None:
    everything = torch.ones(1, height, width)
    crop = crop_of(Mask(everything, everything), picture(height, width))
    outcome = paint(crop, size=64)
    assert outcome.status == "finished"
    assert outcome.picture is not None
    narrow = 32 * max(height, width) // min(height, width)
    assert max(outcome.picture.shape) == max(64, narrow)
    assert put_back(crop, outcome.picture).shape == (3, height, width)


# --- what losses see ------------------------------------------------------------------------------


@pytest.mark.parametrize("scales", [1, 2])
def test_losses_see_the_object_over_its_true_background(scales: int) -> None:
    mask, content = disc(128, 128), picture(128, 128)
    seen: list[Progress] = []
    crop = crop_of(mask, content)
    outcome = paint(crop, scales=scales, steps=6, on_step=seen.append)
    (loss,) = Level.made
    assert len(loss.views) == 6
    background = mask.decision[0] == 0
    for image, _ in loss.views:
        if image.shape[-1] == 128:
            assert torch.equal(image[0][:, background], content[:, background])
        else:
            # The pixels far enough from the object for the smaller size.
            far = F.max_pool2d(mask.decision[None], 13, 1, 6)
            far = F.interpolate(far, image.shape[-2:], mode="area")[0, 0] == 0
            smaller = F.interpolate(content[None], image.shape[-2:], mode="bicubic", antialias=True)
            assert torch.equal(image[0][:, far], smaller.clamp(0, 1)[0][:, far])
    assert not torch.equal(loss.views[-1][0][0][:, ~background], content[:, ~background])
    assert outcome.picture is not None
    assert torch.equal(outcome.picture[:, background], content[:, background])


def test_losses_are_prepared_once_per_scale_with_what_is_constant() -> None:
    mask, content = disc(128, 128), picture(128, 128)
    extractor = Counting()
    paint(crop_of(mask, content), scales=5, steps=10, extractor=extractor)
    (loss,) = Level.made
    sizes = [tuple(targets.content.image.shape[-2:]) for targets in loss.targets]
    assert sizes == [(side, side) for side in (32, 45, 64, 91, 128)]
    # At each scale the photo and one style picture, and then one pass a step.
    assert extractor.calls == 5 * 2 + 10
    finest = loss.targets[-1]
    assert torch.equal(finest.content.image[0], content)
    assert torch.equal(finest.content.mask()[0], mask.decision)
    assert finest.content.features("pixels", "cells").shape[-2:] == (64, 64)
    coarsest = loss.targets[0].content.mask()
    blocks = mask.decision.reshape(1, 32, 4, 32, 4).mean(dim=(2, 4))
    assert torch.allclose(coarsest[0], blocks, atol=1e-6)


def test_one_pass_for_several_losses() -> None:
    extractor = Counting()
    losses = [level(1, "a"), level(2, "b"), level(3, "c")]
    paint(crop_of(disc(128, 128), picture(128, 128)), losses=losses, extractor=extractor, steps=5)
    assert len(Level.made) == 3
    assert extractor.calls == 2 + 5


def test_terms_are_weighted() -> None:
    content = torch.full((3, 128, 128), 0.5)
    everything = torch.ones(1, 128, 128)
    seen: list[Progress] = []
    losses = [level(3, "a"), level(0.5, "a")]
    paint(
        crop_of(Mask(everything, everything), content), losses=losses, on_step=seen.append, steps=1
    )
    assert dict(seen[0].terms) == pytest.approx({"a": 3 * 0.25, "a-2": 0.5 * 0.25})
    assert len(Level.made) == 2


def test_it_starts_from_the_picture_that_is_given() -> None:
    mask, content, other = disc(128, 128), picture(128, 128), picture(128, 128, seed=7)
    paint(crop_of(mask, content, start=other))
    (loss,) = Level.made
    inside = mask.decision[0] > 0
    first = loss.views[0][0][0]
    assert torch.equal(first[:, inside], other[:, inside])
    assert torch.equal(first[:, ~inside], content[:, ~inside])


# --- the way back ---------------------------------------------------------------------------------


def ring(height: int, width: int) -> Mask:
    """An object with a hole, and with thin arms that reach the border."""
    mask = disc(height, width, radius=0.4).decision - disc(height, width, radius=0.2).decision
    mask[:, height // 2] = 1
    mask[:, :, width // 3] = 1
    return Mask(mask, mask)


@pytest.mark.parametrize("side", [256, 150, 65, 64, 30, 9])
@pytest.mark.parametrize(("photo", "painted"), [(0.0, 1.0), (0.0, 0.5), (1.0, 0.5)])
def test_no_background_leaks_into_the_rim(side: int, photo: float, painted: float) -> None:
    """A crop of any size is worked at 64 pixels; a flat object must come back flat."""
    mask, content = ring(side, side), torch.full((3, side, side), photo)
    crop = crop_of(mask, content)
    # The first step of Adam is as long as the learning rate.
    rate = abs(painted - photo)
    outcome = paint(crop, losses=[level(to=painted)], size=64, steps=2, learning_rate=rate)
    assert outcome.picture is not None
    full = put_back(crop, outcome.picture)
    inside = (mask.decision > 0).expand(3, -1, -1)
    assert torch.equal(full[~inside], content[~inside])
    assert (full[inside] - painted).abs().max() < 0.004  # one of 255 levels
