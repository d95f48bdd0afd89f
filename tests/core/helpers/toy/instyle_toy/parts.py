"""The code behind the toys."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from instyle_core import (
    Instance,
    Loss,
    Mask,
    Merger,
    Prompt,
    Ranker,
    Rating,
    Refiner,
    Segmentation,
    Segmenter,
    Targets,
    View,
)
from instyle_core.images.masks import read_mask
from instyle_core.testing import PixelExtractor
from instyle_toy import (
    DiceParams,
    FaultParams,
    NearParams,
    NoParams,
    PaletteParams,
    PixelsParams,
    ShiftParams,
    StencilParams,
    TintParams,
)


class Stencil(Segmenter):
    """The object is what a file says."""

    def __init__(self, params: StencilParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        name = self._params.name
        mask = read_mask(self._params.path, (image.shape[1], image.shape[2]))
        instances = (Instance(name, mask, 0.75),) if self._params.instances else None
        return Segmentation(("background", name), torch.cat([1 - mask, mask]), instances)


class Shift(Refiner):
    """Moves the mask to the right; what leaves the picture is gone."""

    def __init__(self, params: ShiftParams) -> None:
        self._pixels = params.pixels

    def refine(self, image: Tensor, mask: Mask) -> Mask:
        moved = torch.zeros_like(mask.probability)
        moved[..., self._pixels :] = mask.probability[..., : -self._pixels or None]
        return Mask(moved, (moved > 0.5).float())


class Pixels(PixelExtractor):
    def __init__(self, params: PixelsParams) -> None:
        super().__init__(stride=2)


class Tint(Loss):
    """The mean squared distance of the object's pixels to one color."""

    def __init__(self, params: TintParams) -> None:
        self._color = torch.tensor(params.color)[None, :, None, None]

    def prepare(self, targets: Targets) -> None:
        pass

    def __call__(self, view: View) -> Tensor:
        error = (view.image - self._color.to(view.image)).square()
        return (error * view.mask()).sum() / view.mask().sum() / 3


class Palette(Tint):
    """As `Tint`, to the weighted mean of the style pictures' mean colors."""

    def __init__(self, params: PaletteParams) -> None:
        pass

    def prepare(self, targets: Targets) -> None:
        self._color = sum(
            weight * style.image.mean(dim=(2, 3), keepdim=True)
            for style, weight in zip(targets.styles, targets.style_weights, strict=True)
        )


class Dice(Loss):
    """Draws random numbers whenever it can: when it is made, prepared and called."""

    def __init__(self, params: DiceParams) -> None:
        self._color = torch.rand(1, 3, 1, 1)

    def prepare(self, targets: Targets) -> None:
        content = targets.content
        self._texture = torch.rand(content.image.shape, generator=content.generator)

    def __call__(self, view: View) -> Tensor:
        grain = torch.rand(view.image.shape, generator=view.generator)
        error = (view.image - (self._color + self._texture + grain) / 3).square()
        return (error * view.mask()).sum() / view.mask().sum()


class Fault(Loss):
    """Goes wrong at its n-th evaluation, and is a harmless 0.01 before that."""

    def __init__(self, params: FaultParams) -> None:
        self._params = params
        self._calls = 0

    def prepare(self, targets: Targets) -> None:
        pass

    def __call__(self, view: View) -> Tensor:
        self._calls += 1
        nothing = 0 * view.image.sum()
        if self._calls < self._params.at:
            return nothing + 0.01
        match self._params.kind:
            case "nan":
                return nothing + torch.nan
            case "nan gradient":
                return nothing.sqrt()  # 0, with a slope of infinity times 0
            case "explode":
                return nothing + 1e6
            case "interrupt":
                raise KeyboardInterrupt
        raise RuntimeError("the toy broke")


class Near(Ranker):
    """By the distance of the mean colors; or the same score for all."""

    def __init__(self, params: NearParams) -> None:
        self._params = params

    def rate(self, content: View, style: View) -> Rating:
        for name, layers in self._params.reads().items():
            for view, layer in product((content, style), layers):
                view.features(name, layer)
        object_, picture = (
            (view.image * view.mask()).sum(dim=(0, 2, 3)) / view.mask().sum()
            for view in (content, style)
        )
        distance = float((object_ - picture).norm())
        score = self._params.score
        red = float(picture[0])
        return Rating(distance if score is None else score, {"distance": distance, "red": red})


class Clumsy(Merger):
    """Drops what it is given."""

    def __init__(self, params: NoParams) -> None:
        pass

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        raise RuntimeError("the merger dropped it")
