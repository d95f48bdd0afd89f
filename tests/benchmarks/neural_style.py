"""What neural-style-pt does, for comparison: after its README, none of its code.

Gatys, Ecker and Bethge 2015 (arXiv:1508.06576) with the options that
https://github.com/ProGamerGov/neural-style-pt has by default: VGG-19 of Oxford on BGR pixels from 0
to 255 with the mean subtracted; content relu4_2, weight 5; style relu1_1 to relu5_1, weight 100,
Gram matrices divided by the number of values of the map; mean squared errors; total variation as
the sum of absolute differences, weight 0.001; start from noise; L-BFGS with a step of 1 and no line
search. It knows no objects: the whole crop is optimized, and pasted under the mask afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.device import choose_precision
from instyle_core.painting.objective import style_at
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

CONTENT_WEIGHT = 5.0
STYLE_WEIGHT = 100.0
TV_WEIGHT = 1e-3

#: The standard deviation of the noise to start from, in levels of 255.
NOISE = 0.001

#: Pairs of differences that L-BFGS remembers.
HISTORY = 100

#: Iterations that are timed in float32, after one that is not.
TIMED = 3


@dataclass(frozen=True)
class Painted:
    """A picture (3, H, W) in [0, 1] after some iterations, and the seconds until then.

    Those of the clock, and those of all cores together.
    """

    iterations: int
    picture: Tensor
    seconds: float
    cpu_seconds: float


class NeuralStyle:
    """The network, loaded once; the precision is that of instyle on this machine."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._network = VGG19(VGG19Params()).to(device)
        self.precision = choose_precision("auto", device)

    def paint(self, photo: Tensor, style: Tensor, counts: Sequence[int]) -> Iterator[Painted]:
        """Paint a crop (3, H, W) after a style (3, h, w); a picture for each of rising counts."""
        objective = _Objective(self._network, photo, style, self._device, self.precision)
        optimizer = lbfgs(objective.pixels)
        done, seconds, cpu_seconds = 0, 0.0, 0.0
        for count in counts:
            began, worked = time.perf_counter(), time.process_time()
            optimizer.param_groups[0]["max_iter"] = count - done
            optimizer.step(objective.evaluate)
            picture = objective.picture()
            seconds += time.perf_counter() - began
            cpu_seconds += time.process_time() - worked
            done = count
            yield Painted(count, picture, seconds, cpu_seconds)

    def seconds_in_float32(self, photo: Tensor, style: Tensor) -> float:
        """The seconds of an iteration, of a few."""
        objective = _Objective(self._network, photo, style, self._device, torch.float32)
        optimizer = lbfgs(objective.pixels)
        optimizer.param_groups[0]["max_iter"] = 1
        optimizer.step(objective.evaluate)
        objective.picture()  # which waits for a GPU, here and below
        began = time.perf_counter()
        optimizer.param_groups[0]["max_iter"] = TIMED
        optimizer.step(objective.evaluate)
        objective.picture()
        return (time.perf_counter() - began) / TIMED


def lbfgs(pixels: Tensor) -> torch.optim.LBFGS:
    """Never satisfied: it goes on for as many iterations as `max_iter` says."""
    return torch.optim.LBFGS(
        [pixels],
        max_eval=1_000_000,
        tolerance_grad=-1,
        tolerance_change=-1,
        history_size=HISTORY,
    )


class _Objective:
    """Content, style and total variation of pixels from 0 to 255 with the mean subtracted."""

    def __init__(
        self,
        network: VGG19,
        photo: Tensor,
        style: Tensor,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self._network = network
        self._precision = precision
        photo = photo.to(device)
        style = style_at(style, (photo.shape[1], photo.shape[2]), 1.0).to(device)
        with torch.no_grad():
            self._content = self._maps(photo, (CONTENT_LAYER,))[CONTENT_LAYER]
            maps = self._maps(style, STYLE_LAYERS)
            self._grams = {name: gram(maps[name]) for name in STYLE_LAYERS}
        noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
        self.pixels = (NOISE * noise).to(device).requires_grad_()

    def _maps(self, picture: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        half = self._precision != torch.float32
        with torch.autocast(picture.device.type, self._precision, enabled=half):
            maps = self._network.extract(picture[None], layers)
        return {name: values[0].float() for name, values in maps.items()}

    def picture(self) -> Tensor:
        """The pixels, (3, H, W) in [0, 1], on the CPU."""
        return self._picture().detach().clamp(0, 1).cpu()

    def _picture(self) -> Tensor:
        return self.pixels / 255 + self._network.mean

    def value(self) -> Tensor:
        maps = self._maps(self._picture(), (*STYLE_LAYERS, CONTENT_LAYER))
        value = CONTENT_WEIGHT * F.mse_loss(maps[CONTENT_LAYER], self._content)
        for name, target in self._grams.items():
            value = value + STYLE_WEIGHT * F.mse_loss(gram(maps[name]), target)
        return value + TV_WEIGHT * total_variation(self.pixels)

    def evaluate(self) -> Tensor:
        """The value; the gradient goes to the pixels."""
        self.pixels.grad = None
        value = self.value()
        value.backward()
        return value.detach()


def gram(maps: Tensor) -> Tensor:
    """The Gram matrix (C, C) of maps (C, H, W), divided by the number of their values."""
    values = maps.flatten(1)
    return values @ values.T / values.numel()


def total_variation(pixels: Tensor) -> Tensor:
    """The sum of absolute differences of neighbors in (C, H, W)."""
    return pixels.diff(dim=1).abs().sum() + pixels.diff(dim=2).abs().sum()
