"""For plugin authors: a registry in a box, and the contract of each interface as a check.

Each ``check_...`` raises `AssertionError` with a sentence that says which promise is broken: those
that the core checks in every run (`instyle_core.plugin.border`), and more. Call them from your
tests::

    from instyle_core import testing

    def test_contract():
        testing.check_loss(MomentsLoss, MomentsParams())
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.errors import PluginError
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import Loss, Targets
from instyle_core.interfaces.merger import Merger
from instyle_core.interfaces.params import (
    ExtractorParams,
    LossParams,
    Params,
    RankerParams,
    ReaderParams,
)
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.ranker import Ranker, Rating
from instyle_core.interfaces.refiner import Refiner
from instyle_core.interfaces.segmenter import Prompt, Segmentation, Segmenter
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.painting.features import FeatureStack, PictureView
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.plugin.border import LEVELS, called, guard
from instyle_core.plugin.discovery import Source
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use


def registry(*modules: ModuleType | str) -> Registry:
    """A registry of just these plugin modules, as if each were installed."""
    return Registry(Source.of_module(module) for module in modules)


def picture(height: int = 32, width: int = 32, *, seed: int = 0) -> Tensor:
    """A picture of smooth blobs, (3, height, width), that stays clear of 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0]
    return (0.1 + 0.8 * smooth).clamp(0.05, 0.95)


def disc(height: int = 32, width: int = 32, *, radius: float = 0.3) -> Mask:
    """A round object in the middle; ``radius`` is a fraction of the shorter side."""
    y = torch.arange(height)[:, None] - (height - 1) / 2
    x = torch.arange(width)[None, :] - (width - 1) / 2
    inside = ((x**2 + y**2).sqrt() <= radius * min(height, width)).float()[None]
    return Mask(probability=inside, decision=inside)


class PixelExtractor(FeatureExtractor):
    """Feature maps that can be computed by hand: each cell depends on its own pixels alone.

    A map is the picture averaged over cells of ``stride`` pixels, times a fixed random matrix
    (channels, 3), squared, so that it is not linear. It stands in for any extractor and has
    whatever layers are asked for.
    """

    def __init__(self, *, stride: int = 2, channels: int = 6) -> None:
        self.stride = stride
        self.channels = channels

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        cells = F.avg_pool2d(images, self.stride)
        maps = {}
        for index, layer in enumerate(layers):
            generator = torch.Generator().manual_seed(index)
            matrix = torch.randn(self.channels, 3, generator=generator).to(cells)
            maps[layer] = torch.einsum("kc,nchw->nkhw", matrix, cells) ** 2
        return maps

    def to(self, device: torch.device, dtype: torch.dtype) -> PixelExtractor:
        return self


class _PixelParams(ExtractorParams):
    """What a `PixelExtractor` is like."""

    stride: int
    names: tuple[str, ...]

    def layers(self) -> Mapping[str, int]:
        return dict.fromkeys(self.names, self.stride)


def view(image: Tensor, mask: Tensor, params: ReaderParams, *, stride: int = 2) -> PictureView:
    """What a loss or a ranker would see of a picture (3, H, W) with a mask (1, H, W).

    Feature maps are those of `PixelExtractor`.
    """
    reads = params.reads()
    stack = FeatureStack(
        {name: PixelExtractor(stride=stride) for name in reads},
        [reads],
        image.device,
        params={name: _PixelParams(stride=stride, names=tuple(reads[name])) for name in reads},
    )
    return stack.view(image[None], MaskPyramid(mask[None], [stride]))


@contextmanager
def _asserting() -> Iterator[None]:
    """What the border finds is what a test finds."""
    try:
        yield
    except PluginError as error:
        raise AssertionError(error.what) from error


def _use(kind: str, tested: Any, params: Params) -> Use:
    """What the core would use: a plugin with the name of what is tested."""
    source = tested if hasattr(tested, "__name__") else type(tested)
    name, module = source.__name__, source.__module__
    plugin = Plugin(kind, name, type(params), f"{module}:{name}", summary="")
    return Use(plugin, params, distribution=module)


def _made(kind: str, factory: Callable[[Any], Any], params: Params) -> Any:
    """What a factory makes, behind the guard that the core puts before it."""
    use = _use(kind, factory, params)
    with called(use.who, f"{use.plugin.name}()"):
        thing = factory(params)
    return guard(use, thing)


@_asserting()
def check_loss(
    factory: Callable[[Any], Loss],
    params: LossParams,
    *,
    zero_at: Tensor | None = None,
    reach: int = 2,
) -> None:
    """Check a loss.

    It must be a finite scalar of at least 0, zero at its target, differentiable down to the pixels
    (against finite differences in float64), and blind to what lies outside the mask.

    A loss may have kinks, at which its slope jumps, as one that sorts has wherever two values
    change places: between the two sides of a kink, finite differences say nothing. So they are
    taken with several steps, along several directions, of which two thirds have to be right.

    A loss may draw random numbers from its view: each evaluation starts from the same random state.

    Args:
        factory: the class.
        params: its parameters.
        zero_at: a picture (3, 32, 32) at which the loss must be zero; by default the photo itself,
            which is also the only style picture.
        reach: how many pixels around the mask the loss may look at, for filters.
    """
    photo = picture(seed=1).double()
    ones = torch.ones(1, *photo.shape[1:], dtype=torch.float64)

    def prepared(mask: Tensor) -> Loss:
        loss: Loss = _made("loss", factory, params)
        style = view(photo, ones, params)
        with torch.no_grad():
            loss.prepare(Targets(view(photo, mask, params), (style,), (1.0,)))
        return loss

    random = random_state()

    def value_of(loss: Loss, image: Tensor, mask: Tensor) -> Tensor:
        restore_random_state(random)  # so that a loss draws the same numbers each time
        return loss(view(image, mask, params))

    loss = prepared(ones)
    target = photo if zero_at is None else zero_at.double()
    zero = float(value_of(loss, target, ones).detach())
    assert abs(zero) < 1e-9, (
        f"the loss is {zero} at its target, not 0 (tolerance 1e-9); if it is to be 0 at another "
        "picture than the photo, `zero_at` is that picture"
    )
    # With some grain, so that no two pixels are alike: where values are sorted, that is a kink.
    grain = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0), dtype=photo.dtype)
    other = (picture(seed=2).double() + 0.01 * grain).requires_grad_()
    value = value_of(loss, other, ones)
    amount = float(value.detach())
    assert math.isfinite(amount), f"the loss is {amount} at an ordinary picture"
    assert amount > 0, f"the loss is {amount} away from its target, not above 0"
    (gradient,) = torch.autograd.grad(value, other)
    assert gradient.abs().max() > 0, "no gradient reaches the pixels"
    _check_gradient(lambda x: value_of(loss, x, ones), other.detach(), gradient)

    mask = _snapped_disc()
    near = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    masked = prepared(mask)
    outside = torch.where(near > 0, other.detach(), picture(seed=3).double())
    a, b = (float(value_of(masked, image, mask)) for image in (other.detach(), outside))
    assert abs(a - b) <= 1e-12 * max(abs(a), 1), (
        f"the loss changes from {a} to {b} with pixels more than {reach} away from the mask "
        "(tolerance 1e-12)"
    )


def _snapped_disc() -> Tensor:
    """A disc (1, 32, 32) of cells of 8 pixels, so that no feature cell straddles its border."""
    mask = F.avg_pool2d(disc().decision[None].double(), 8).round()
    return F.interpolate(mask, scale_factor=8)[0]


#: The steps of finite differences. The smaller one is, the fewer kinks lie within it, and the more
#: digits are lost.
_STEPS = (1e-6, 1e-5, 1e-7, 1e-8)


def _check_gradient(function: Callable[[Tensor], Tensor], at: Tensor, gradient: Tensor) -> None:
    """Central differences along random directions, in float64."""
    generator = torch.Generator().manual_seed(0)
    wrong: list[tuple[float, float]] = []
    for _ in range(6):
        direction = torch.randn(at.shape, generator=generator, dtype=at.dtype)
        expected = float((gradient * direction).sum())
        tolerance = 1e-4 * max(abs(expected), float(gradient.norm()) * 1e-2, 1e-12)
        nearest = math.inf
        for step in _STEPS:
            ends = (float(function(at + sign * step * direction)) for sign in (1, -1))
            difference = (next(ends) - next(ends)) / 2 / step
            nearest = min(nearest, difference, key=lambda slope: abs(slope - expected))
            if abs(nearest - expected) < tolerance:
                break
        else:
            wrong.append((expected, nearest))
    assert len(wrong) <= 2, (
        f"the gradient is wrong along {len(wrong)} of 6 directions: {wrong[0][0]} along one in "
        f"which finite differences give {wrong[0][1]} at the nearest (tolerance 1e-4 of it)"
    )


@_asserting()
def check_extractor(extractor: FeatureExtractor, params: ExtractorParams) -> None:
    """Check an extractor: its layers, their strides, and a gradient to the pixels alone."""
    guarded: FeatureExtractor = guard(_use("extractor", extractor, params), extractor)
    guarded = guarded.to(torch.device("cpu"), torch.float32)
    layers = params.layers()
    assert layers, "params.layers() is empty"
    size = 2 * max(layers.values())
    image = picture(size + 1, size)[None].requires_grad_()  # of no stride but 1 a multiple
    maps = guarded.extract(image, list(layers))
    assert set(maps) == set(layers), f"asked for {sorted(layers)}, got {sorted(maps)}"
    for layer in layers:
        (gradient,) = torch.autograd.grad(maps[layer].float().sum(), image, retain_graph=True)
        assert gradient.abs().max() > 0, f"no gradient reaches the pixels from {layer}"
    if isinstance(extractor, torch.nn.Module):
        trainable = [name for name, weight in extractor.named_parameters() if weight.requires_grad]
        assert not trainable, f"the network must be frozen, but trains {trainable[:3]}"
    first = next(iter(layers))
    again = guarded.extract(image, [first])
    assert set(again) == {first}, f"asked for {first}, got {sorted(again)}"
    assert torch.equal(again[first], maps[first]), f"{first} differs from one call to the next"


@_asserting()
def check_segmenter(segmenter: Segmenter, image: Tensor, prompt: Prompt) -> Segmentation:
    """Check what a segmenter makes of a picture, and return it."""
    guarded: Segmenter = guard(_use("segmenter", segmenter, Params()), segmenter)
    return guarded.segment(image, prompt)


@_asserting()
def check_refiner(refiner: Refiner) -> None:
    """Check a refiner: sizes, ranges, the same result for the same input, and the input left alone.

    It is given discs of several sizes, an object that fills the picture, and soft edges.
    """
    guarded: Refiner = guard(_use("refiner", refiner, Params()), refiner)
    image = picture(48, 40)
    soft = F.avg_pool2d(disc(48, 40).probability, 9, stride=1, padding=4)
    masks = [disc(48, 40), disc(48, 40, radius=0.05), disc(48, 40, radius=2)]
    for mask in [*masks, Mask(soft, (soft > 0.5).float())]:
        one, other = (guarded.refine(image, mask).decision for _ in range(2))
        assert torch.equal(one, other), "the mask differs from one call to the next"


@_asserting()
def check_ranker(factory: Callable[[Any], Ranker], params: RankerParams, *, reach: int = 2) -> None:
    """Check a ranker.

    Its scores and figures must be finite, the same for the same pictures whatever it has rated
    before, and blind to what lies outside the mask; and it must leave its input alone.

    Args:
        factory: the class.
        params: its parameters.
        reach: how many pixels around the mask the ranker may look at, for filters.
    """
    mask = _snapped_disc()
    photo = picture(seed=1).double()
    styles = [picture(32, 24, seed=seed).double() for seed in (2, 3)]
    styles += [torch.zeros_like(styles[0]), torch.ones_like(styles[0]), photo]

    def rate(ranker: Ranker, image: Tensor, style: Tensor) -> Rating:
        ones = torch.ones_like(style[:1])
        with torch.no_grad():
            return ranker.rate(view(image, mask, params), view(style, ones, params))

    ranker = _made("ranker", factory, params)
    before = [image.clone() for image in (photo, *styles)]
    ratings = [rate(ranker, photo, style) for style in styles]
    for image, earlier in zip((photo, *styles), before, strict=True):
        assert torch.equal(image, earlier), "the ranker changed its input"
    again = [rate(ranker, photo, style) for style in reversed(styles)]
    fresh = [rate(_made("ranker", factory, params), photo, style) for style in styles]
    assert ratings == again[::-1] == fresh, "the ratings differ from one call to the next"

    near = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    moved = torch.where(near > 0, photo, picture(seed=4).double())
    for style, rating in zip(styles, ratings, strict=True):
        other = rate(ranker, moved, style).score
        assert abs(other - rating.score) <= 1e-9 * max(abs(other), 1), (
            f"the score changes from {rating.score} to {other} with pixels more than {reach} away "
            "from the mask (tolerance 1e-9)"
        )


@_asserting()
def check_merger(merger: Merger) -> None:
    """Check a merger: sizes, ranges, and that it leaves alone what it does not paint.

    Pixels outside of `paints`, and those of a photo that is merged with itself, may change by one
    level of 255 at the most: a merger may compute in 8 bits. One of the masks has an alpha.
    """
    guarded: Merger = guard(_use("merger", merger, Params()), merger)
    content, painting = picture(48, 40, seed=1), picture(48, 40, seed=2)
    alpha = F.avg_pool2d(disc(48, 40).probability, 9, stride=1, padding=4)
    soft = Mask(alpha, (alpha >= 0.5).float(), alpha)
    for mask in (disc(48, 40), disc(48, 40, radius=0), disc(48, 40, radius=2), soft):
        guarded.merge(content, torch.where(guarded.paints(mask) > 0, painting, content), mask)
        change = 255 * float((guarded.merge(content, content, mask) - content).abs().max())
        assert change <= LEVELS, (
            f"merging the photo with itself changes it by {change:.4g} levels of 255, "
            f"not {LEVELS} at the most"
        )
