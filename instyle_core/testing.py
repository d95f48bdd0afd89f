"""For plugin authors: a registry in a box, and the contract of each interface as a check.

Each ``check_...`` raises `AssertionError` with a sentence that says which promise is broken. Call
them from your tests::

    from instyle_core import testing

    def test_contract():
        testing.check_loss(SepiaLoss, SepiaParams())
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import Loss, Targets
from instyle_core.interfaces.merger import Merger
from instyle_core.interfaces.params import ExtractorParams, LossParams, RankerParams, ReaderParams
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.ranker import Ranker, Rating
from instyle_core.interfaces.refiner import Refiner
from instyle_core.interfaces.segmenter import Prompt, Segmentation, Segmenter
from instyle_core.painting.features import FeatureStack, MaskPyramid, PictureView
from instyle_core.plugin.discovery import Source
from instyle_core.plugin.registry import Registry


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


def view(image: Tensor, mask: Tensor, params: ReaderParams, *, stride: int = 2) -> PictureView:
    """What a loss or a ranker would see of a picture (3, H, W) with a mask (1, H, W).

    Feature maps are those of `PixelExtractor`.
    """
    reads = params.reads()
    stack = FeatureStack(
        {name: PixelExtractor(stride=stride) for name in reads}, [reads], image.device
    )
    return stack.view(image[None], MaskPyramid(mask[None]))


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
        loss = factory(params)
        style = view(photo, ones, params)
        with torch.no_grad():
            loss.prepare(Targets(view(photo, mask, params), (style,), (1.0,)))
        return loss

    loss = prepared(ones)
    target = photo if zero_at is None else zero_at.double()
    zero = loss(view(target, ones, params))
    assert zero.ndim == 0, f"a loss must be a scalar; got the shape {tuple(zero.shape)}"
    assert abs(float(zero)) < 1e-9, f"the loss is {float(zero)} at its target, not 0"

    other = picture(seed=2).double().requires_grad_()
    value = loss(view(other, ones, params))
    amount = float(value.detach())
    assert math.isfinite(amount), f"the loss is {amount} at an ordinary picture"
    assert amount > 0, f"the loss is {amount} away from its target, not above 0"
    (gradient,) = torch.autograd.grad(value, other)
    assert gradient.abs().max() > 0, "no gradient reaches the pixels"
    _check_gradient(lambda x: loss(view(x, ones, params)), other.detach(), gradient)

    mask = _snapped_disc()
    near = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    masked = prepared(mask)
    outside = torch.where(near > 0, other.detach(), picture(seed=3).double())
    a, b = (float(masked(view(image, mask, params))) for image in (other.detach(), outside))
    assert abs(a - b) <= 1e-12 * max(abs(a), 1), (
        f"the loss changes from {a} to {b} with pixels more than {reach} away from the mask"
    )


def _snapped_disc() -> Tensor:
    """A disc (1, 32, 32) of cells of 8 pixels, so that no feature cell straddles its border."""
    mask = F.avg_pool2d(disc().decision[None].double(), 8).round()
    return F.interpolate(mask, scale_factor=8)[0]


def _check_gradient(function: Callable[[Tensor], Tensor], at: Tensor, gradient: Tensor) -> None:
    """Central differences along random directions, in float64."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        direction = torch.randn(at.shape, generator=generator, dtype=at.dtype)
        step = 1e-6
        difference = (function(at + step * direction) - function(at - step * direction)) / 2 / step
        expected = float((gradient * direction).sum())
        scale = max(abs(expected), float(gradient.norm()) * 1e-2, 1e-12)
        assert abs(float(difference) - expected) < 1e-4 * scale, (
            f"the gradient is wrong: {expected} along a direction in which finite differences give "
            f"{float(difference)}"
        )


def check_extractor(extractor: FeatureExtractor, params: ExtractorParams) -> None:
    """Check an extractor: its layers, their strides, and a gradient to the pixels alone."""
    layers = params.layers()
    assert layers, "params.layers() is empty"
    size = 2 * max(layers.values())
    image = picture(size, size)[None].requires_grad_()
    maps = extractor.extract(image, list(layers))
    assert set(maps) == set(layers), f"asked for {sorted(layers)}, got {sorted(maps)}"
    for layer, stride in layers.items():
        shape = tuple(maps[layer].shape[-2:])
        assert shape == (size // stride, size // stride), (
            f"{layer} of a picture of {size}x{size} is {shape}, which is not its stride of {stride}"
        )
    for layer in layers:
        (gradient,) = torch.autograd.grad(maps[layer].float().sum(), image, retain_graph=True)
        assert gradient.abs().max() > 0, f"no gradient reaches the pixels from {layer}"
    if isinstance(extractor, torch.nn.Module):
        trainable = [name for name, weight in extractor.named_parameters() if weight.requires_grad]
        assert not trainable, f"the network must be frozen, but trains {trainable[:3]}"
    first = next(iter(layers))
    again = extractor.extract(image, [first])
    assert set(again) == {first}, f"asked for {first}, got {sorted(again)}"
    assert torch.equal(again[first], maps[first]), f"{first} differs from one call to the next"


def check_segmenter(segmenter: Segmenter, image: Tensor, prompt: Prompt) -> Segmentation:
    """Check what a segmenter makes of a picture, and return it."""
    before = image.clone()
    seen = segmenter.segment(image, prompt)
    assert torch.equal(image, before), "the segmenter changed its input"
    size = tuple(image.shape[1:])
    assert len(set(seen.classes)) == len(seen.classes), f"classes are repeated: {seen.classes}"
    expected = (len(seen.classes), *size)
    actual = tuple(seen.probabilities.shape)
    assert actual == expected, f"probabilities have the shape {actual}, not {expected}"
    assert seen.probabilities.dtype == torch.float32, "probabilities must be float32"
    assert seen.probabilities.min() >= 0, "a probability is below 0"
    error = float((seen.probabilities.sum(dim=0) - 1).abs().max())
    assert error < 1e-4, f"probabilities miss a sum of 1 by {error}"
    for instance in seen.instances or ():
        assert instance.class_name in seen.classes, f"unknown class {instance.class_name!r}"
        assert tuple(instance.mask.shape) == (1, *size), "an instance's mask has another size"
        assert 0 <= float(instance.mask.min()) <= float(instance.mask.max()) <= 1
        assert 0 <= instance.score <= 1, f"a score is {instance.score}"
    return seen


def check_refiner(refiner: Refiner) -> None:
    """Check a refiner: sizes, ranges, the same result for the same input, and the input left alone.

    It is given discs of several sizes, an object that fills the picture, and soft edges.
    """
    image = picture(48, 40)
    soft = F.avg_pool2d(disc(48, 40).probability, 9, stride=1, padding=4)
    masks = [disc(48, 40), disc(48, 40, radius=0.05), disc(48, 40, radius=2)]
    for mask in [*masks, Mask(soft, (soft > 0.5).float())]:
        inputs = [tensor.clone() for tensor in (image, mask.probability, mask.decision)]
        refined = refiner.refine(image, mask)
        for name in ("probability", "decision"):
            tensor = getattr(refined, name)
            assert tuple(tensor.shape) == (1, 48, 40), f"{name} has the shape {tensor.shape}"
            assert tensor.dtype == torch.float32, f"{name} is {tensor.dtype}"
            assert 0 <= float(tensor.min()) <= float(tensor.max()) <= 1, f"{name} is out of [0, 1]"
        decided = refined.decision
        assert bool(((decided == 0) | (decided == 1)).all()), "decision must be 0 or 1"
        again = refiner.refine(image, mask)
        assert torch.equal(again.decision, decided), "the mask differs from one call to the next"
        for before, after in zip(inputs, (image, mask.probability, mask.decision), strict=True):
            assert torch.equal(before, after), "the refiner changed its input"


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

    ranker = factory(params)
    before = [image.clone() for image in (photo, *styles)]
    ratings = [rate(ranker, photo, style) for style in styles]
    for rating in ratings:
        for name, value in {"score": rating.score, **rating.figures}.items():
            assert isinstance(value, float), f"{name} is a {type(value).__name__}, not a float"
            assert math.isfinite(value), f"{name} is {value}"
    for image, earlier in zip((photo, *styles), before, strict=True):
        assert torch.equal(image, earlier), "the ranker changed its input"
    again = [rate(ranker, photo, style) for style in reversed(styles)]
    fresh = [rate(factory(params), photo, style) for style in styles]
    assert ratings == again[::-1] == fresh, "the ratings differ from one call to the next"

    near = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    moved = torch.where(near > 0, photo, picture(seed=4).double())
    for style, rating in zip(styles, ratings, strict=True):
        other = rate(ranker, moved, style).score
        assert abs(other - rating.score) <= 1e-9 * max(abs(other), 1), (
            f"the score changes from {rating.score} to {other} with pixels more than {reach} away "
            "from the mask"
        )


def check_merger(merger: Merger) -> None:
    """Check a merger: sizes, ranges, and that untouched pixels stay exactly as they were."""
    content, painting = picture(48, 40, seed=1), picture(48, 40, seed=2)
    for mask in (disc(48, 40), disc(48, 40, radius=0), disc(48, 40, radius=2)):
        paints = merger.paints(mask)
        assert tuple(paints.shape) == (1, 48, 40), f"paints has the shape {tuple(paints.shape)}"
        assert bool(((paints == 0) | (paints == 1)).all()), "paints must be 0 or 1"
        stylized = torch.where(paints > 0, painting, content)
        inputs = [tensor.clone() for tensor in (content, stylized, mask.decision)]
        merged = merger.merge(content, stylized, mask)
        assert merged.shape == content.shape, f"merged to {tuple(merged.shape)}"
        assert merged.dtype == torch.float32, f"merged to {merged.dtype}"
        assert 0 <= float(merged.min()) <= float(merged.max()) <= 1, "a pixel is out of [0, 1]"
        kept = (paints == 0).expand_as(content)
        assert torch.equal(merged[kept], content[kept]), "a pixel outside of paints has changed"
        assert torch.allclose(merger.merge(content, content, mask), content, atol=1e-6), (
            "merging the photo with itself changes it"
        )
        for before, after in zip(inputs, (content, stylized, mask.decision), strict=True):
            assert torch.equal(before, after), "the merger changed its input"
