"""One object: the crop, the size that it is worked at, what losses see, and the way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.optimizer import Adam
from instyle_core.config.plan import ObjectPlan
from instyle_core.config.spec import Select, Spec, Style
from instyle_core.interfaces.loss import Loss, Targets, View
from instyle_core.interfaces.params import LossParams, Params
from instyle_core.interfaces.pictures import Mask
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.optimization.optimize import Outcome, Progress
from instyle_core.painting.crop import Crop, put_back
from instyle_core.painting.networks import Networks
from instyle_core.painting.objective import term_names
from instyle_core.painting.stylize import stylize, working_size
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture

# --- a loss that remembers what it saw ------------------------------------------------------------


class LevelParams(LossParams):
    level: float = 1.0

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"pixels": ["cells"]}


class Level(Loss):
    """The mean of ``(x - level)²`` over the object."""

    made: ClassVar[list[Level]] = []

    def __init__(self, params: LevelParams) -> None:
        self._level = params.level
        self.targets: list[Targets] = []
        self.views: list[tuple[Tensor, Tensor]] = []
        Level.made.append(self)

    def prepare(self, targets: Targets) -> None:
        assert not torch.is_grad_enabled()
        self.targets.append(targets)
        for view in (targets.content, *targets.styles):
            view.features("pixels", "cells")

    def __call__(self, view: View) -> Tensor:
        self.views.append((view.image.detach().clone(), view.mask()))
        view.features("pixels", "cells")
        mask = view.mask()
        return ((view.image - self._level).square() * mask).sum() / mask.sum() / 3


class Counting(PixelExtractor):
    calls = 0

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.calls += 1
        return super().extract(images, layers)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    Level.made.clear()
    yield
    Level.made.clear()


def use(kind: Any, name: str, params: Params, factory: str = "none:None", weight: float = 1) -> Use:
    return Use(Plugin(kind, name, type(params), factory, "a test's"), params, weight)


def level(weight: float = 1, name: str = "level", to: float = 1.0) -> Use:
    return use("loss", name, LevelParams(level=to), f"{__name__}:Level", weight)


def paint(
    task: Crop,
    *,
    losses: Sequence[Use] = (),
    size: int = 128,
    style: Style | None = None,
    extractor: PixelExtractor | None = None,
    on_step: Any = lambda progress: None,
    **optimizer: Any,
) -> Outcome:
    style = style or Style.model_construct(images=[], weights=None, scale=1.0)
    settings = Adam(**{"steps": 3, "scales": 1, "learning_rate": 0.5, **optimizer})
    plan = ObjectPlan(
        use("segmenter", "none", Params()),
        Select(),
        style,
        tuple(losses or [level()]),
        use("merger", "none", Params()),
    )
    spec = Spec.model_construct(size=size, optimizer=settings)
    setting = Networks({"pixels": extractor or Counting()}, torch.device("cpu"), torch.float32)
    return stylize(task, plan, spec, setting, on_step)


def task(mask: Mask, content: Tensor, **more: Any) -> Crop:
    styles = more.pop("styles", [picture(40, 40, seed=5)])
    return Crop(content, mask.decision, mask.decision, styles, **more)


# --- the crop -------------------------------------------------------------------------------------


@given(data=st.data(), margin=st.floats(0, 2))
def test_the_crop_is_the_object_with_context_inside_of_the_photo(
    data: st.DataObject, margin: float
) -> None:
    height, width = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    mask = torch.zeros(1, height, width)
    mask[:, y0, x0] = mask[:, y1 - 1, x1 - 1] = 1
    paints = torch.zeros(1, height, width)
    paints[:, data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 1
    (py,), (px,) = paints[0].nonzero(as_tuple=True)
    left, top, right, bottom = crop_box(mask, margin, paints)
    least = max(8, round(margin * max(x1 - x0, y1 - y0)))
    for first, last, own, pixel, length in (
        (left, right, (x0, x1), int(px), width),
        (top, bottom, (y0, y1), int(py), height),
    ):
        # With the context and the painted pixels, but for what is outside of the photo.
        needed = min(max(0, own[0] - least), pixel), max(min(length, own[1] + least), pixel + 1)
        assert 0 <= first <= needed[0]
        assert needed[1] <= last <= length
        assert last - first == min(length, 16 * math.ceil((needed[1] - needed[0]) / 16))
    assert crop_box(mask, margin, mask) == crop_box(mask, margin)


def test_cut_takes_the_pixels_of_a_box() -> None:
    image = torch.arange(3 * 5 * 7.0).reshape(3, 5, 7)
    part = crop(image, (2, 1, 6, 4))
    assert part.shape == (3, 3, 4)
    assert [float(part[0, 0, 0]), float(part[0, -1, -1])] == [7 + 2, 21 + 5]


# --- the size that it is worked at ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("crop", "size", "expected"),
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
        ((1, 5000), 512, (32, 512)),  # networks need some pixels
        ((5000, 1), 512, (512, 32)),
        ((10, 300), 512, (32, 300)),
    ],
)
def test_working_size(crop: tuple[int, int], size: int, expected: tuple[int, int]) -> None:
    assert working_size(crop, size) == expected


@given(height=st.integers(1, 9000), width=st.integers(1, 9000), size=st.integers(32, 4096))
def test_working_size_keeps_to_the_rules(height: int, width: int, size: int) -> None:
    worked = working_size((height, width), size)
    longest = max(height, width)
    assert max(worked) == min(size, max(longest, 128))
    assert min(worked) >= 32
    if min(worked) > 32:
        assert abs(worked[0] * width - worked[1] * height) <= height + width  # as rounded


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 300), (300, 1), (33, 65), (129, 200), (2, 3)]
)
def test_any_crop_comes_back_at_its_own_size(height: int, width: int) -> None:
    everything = torch.ones(1, height, width)
    job = task(Mask(everything, everything), picture(height, width))
    outcome = paint(job, size=64)
    assert outcome.status == "finished"
    assert outcome.picture is not None
    assert max(outcome.picture.shape) == 64
    assert put_back(job, outcome.picture).shape == (3, height, width)


# --- what losses see ------------------------------------------------------------------------------


@pytest.mark.parametrize("scales", [1, 2])
def test_losses_see_the_object_over_its_true_background(scales: int) -> None:
    mask, content = disc(128, 128), picture(128, 128)
    seen: list[Progress] = []
    job = task(mask, content)
    outcome = paint(job, scales=scales, steps=6, on_step=seen.append)
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
    paint(task(mask, content), scales=5, steps=10, extractor=extractor)
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
    paint(task(disc(128, 128), picture(128, 128)), losses=losses, extractor=extractor, steps=5)
    assert len(Level.made) == 3
    assert extractor.calls == 2 + 5


def test_terms_are_weighted() -> None:
    content = torch.full((3, 128, 128), 0.5)
    everything = torch.ones(1, 128, 128)
    seen: list[Progress] = []
    losses = [level(3, "a"), level(0.5, "a")]
    paint(task(Mask(everything, everything), content), losses=losses, on_step=seen.append, steps=1)
    assert dict(seen[0].terms) == pytest.approx({"a": 3 * 0.25, "a-2": 0.5 * 0.25})
    assert len(Level.made) == 2


def test_terms_of_the_same_name_are_numbered() -> None:
    losses = [level(name=name) for name in ("style", "tv", "style", "style", "tv")]
    assert term_names(losses) == ["style", "tv", "style-2", "style-3", "tv-2"]
    assert len(set(term_names([level(name=n) for n in ("a", "a-2", "a")]))) == 3


def test_it_starts_from_the_picture_that_is_given() -> None:
    mask, content, other = disc(128, 128), picture(128, 128), picture(128, 128, seed=7)
    paint(task(mask, content, start=other))
    (loss,) = Level.made
    inside = mask.decision[0] > 0
    first = loss.views[0][0][0]
    assert torch.equal(first[:, inside], other[:, inside])
    assert torch.equal(first[:, ~inside], content[:, ~inside])


# --- styles ---------------------------------------------------------------------------------------


def styles_seen(scale: float, weights: list[float] | None, sizes: Sequence[Any]) -> Targets:
    style = Style.model_construct(images=[], weights=weights, scale=scale)
    pictures = [picture(*size, seed=index) for index, size in enumerate(sizes)]
    job = task(disc(96, 128), picture(96, 128), styles=pictures)
    paint(job, style=style)
    return Level.made[0].targets[0]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (1.0, [(128, 64), (64, 128), (128, 128)]),
        (0.5, [(64, 32), (32, 64), (64, 64)]),
        (2.0, [(256, 128), (128, 256), (256, 256)]),
        (0.3, [(38, 32), (32, 38), (38, 38)]),  # no side below 32
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


# --- the way back ---------------------------------------------------------------------------------


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    factor=st.floats(0.2, 3),
    seed=st.integers(0, 99),
)
def test_what_is_not_painted_stays_bit_for_bit(
    height: int, width: int, factor: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    content = torch.rand(3, height, width, generator=generator)
    paints = (torch.rand(1, height, width, generator=generator) < 0.5).float()
    worked = (max(1, round(height * factor)), max(1, round(width * factor)))
    result = put_back(Crop(content, paints, paints, []), 2 + torch.zeros(3, *worked))
    painted = (paints > 0).expand(3, -1, -1)
    assert torch.equal(result[~painted], content[~painted])
    assert bool((result[painted] == (2 if worked == (height, width) else 1)).all())


@pytest.mark.parametrize("size", [(1, 90), (90, 1), (2, 90), (90, 2), (90, 3), (50, 90)])
def test_a_result_is_brought_back_to_where_it_was(size: tuple[int, int]) -> None:
    # From black to white along the longer side, which resampling keeps as it is.
    height, width = size
    everything = torch.ones(1, height, width)
    ramp = torch.linspace(0, 1, 90)
    content = ramp.expand(3, height, 90) if width == 90 else ramp[:, None].expand(3, 90, width)
    larger = F.interpolate(content[None], (height * 2, width * 2), mode="bilinear")[0]
    full = put_back(Crop(torch.zeros_like(content), everything, everything, []), larger)
    assert (full - content).abs().max() < 0.01


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
    job = task(mask, content)
    # The first step of Adam is as long as the learning rate.
    rate = abs(painted - photo)
    outcome = paint(job, losses=[level(to=painted)], size=64, steps=2, learning_rate=rate)
    assert outcome.picture is not None
    full = put_back(job, outcome.picture)
    inside = (mask.decision > 0).expand(3, -1, -1)
    assert torch.equal(full[~inside], content[~inside])
    assert (full[inside] - painted).abs().max() < 0.004  # one of 255 levels
