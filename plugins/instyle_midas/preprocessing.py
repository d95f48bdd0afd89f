"""The preprocessing of depth networks, computed so that gradients pass through it."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import WeightsError, first_line

#: The ways of resampling that are supported, by their numbers in Pillow.
_MODES = {2: "bilinear", 3: "bicubic"}

#: Steps that all three published networks share, with the settings that are supported.
_STEPS: Mapping[str, tuple[Any, ...]] = {
    "do_resize": (True,),
    "do_rescale": (True,),
    "rescale_factor": (1 / 255,),
    "do_normalize": (True,),
    "do_center_crop": (False, None),
    "do_pad": (False, None),
}


@dataclass(frozen=True)
class Preprocessing:
    """Resizing and normalizing, as transformers' ``DPTImageProcessor`` does them.

    That one rounds to 256 levels in between and clips where bicubic resampling overshoots. Here,
    nothing is rounded or clipped, since gradients do not pass through either.

    Source: Ranftl et al. 2020, arXiv:1907.01341, and the settings published with each network.

    Attributes:
        size: (height, width) that the network was trained for.
        keep_aspect_ratio: whether only the side that changes less is brought to that size.
        multiple: what both sides are rounded to multiples of, in pixels.
        mode: ``bilinear`` or ``bicubic``, with antialiasing.
        mean: subtracted from R, G and B in [0, 1].
        std: what they are divided by then.
    """

    size: tuple[int, int]
    keep_aspect_ratio: bool
    multiple: int
    mode: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, processor: Any, where: Path) -> Preprocessing:
        """The settings of a processor of transformers.

        Args:
            processor: a ``DPTImageProcessor``, under any of the names that it has had.
            where: its file, for messages.

        Raises:
            WeightsError: it does something that is not supported, or lacks a setting.
        """
        try:
            return cls._read(processor, where)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"its settings are not those of a `DPTImageProcessor`: {first_line(error)}",
                where=str(where),
                hint="get the file again, or write it again with `save_pretrained`",
            ) from error

    @classmethod
    def _read(cls, processor: Any, where: Path) -> Preprocessing:
        kind = type(processor).__name__
        if not kind.startswith("DPT"):
            raise _unsupported("image_processor_type", kind, where)
        for step, known in _STEPS.items():
            value = getattr(processor, step, known[0])
            if value not in known:
                raise _unsupported(step, value, where)
        if int(processor.resample) not in _MODES:
            raise _unsupported("resample", processor.resample, where)
        size = processor.size
        return cls(
            (int(size["height"]), int(size["width"])),
            bool(processor.keep_aspect_ratio),
            processor.ensure_multiple_of or 1,
            _MODES[int(processor.resample)],
            tuple(processor.image_mean),
            tuple(processor.image_std),
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Prepare pictures for the network.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1].

        Returns:
            (N, 3, h, w), with the size of `seen_size`.
        """
        size = self.seen_size((images.shape[-2], images.shape[-1]))
        if size != tuple(images.shape[-2:]):
            images = F.interpolate(images, size, mode=self.mode, antialias=True)
        mean, std = (_by_channel(v, images.device, images.dtype) for v in (self.mean, self.std))
        return (images - mean) / std

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) at which the network sees a picture of the given size."""
        scales = [wanted / side for wanted, side in zip(self.size, size, strict=True)]
        if self.keep_aspect_ratio:
            vertical, horizontal = (abs(1 - scale) for scale in scales)
            scales = [scales[1] if horizontal < vertical else scales[0]] * 2
        height, width = (self._rounded(s * side) for s, side in zip(scales, size, strict=True))
        return height, width

    def _rounded(self, side: float) -> int:
        multiples = round(side / self.multiple) or math.ceil(side / self.multiple)
        return multiples * self.multiple


@cache  # or they would be copied to a GPU at each step, which is waited for
def _by_channel(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, device=device, dtype=dtype)[:, None, None]


def _unsupported(key: str, value: object, where: Path) -> WeightsError:
    return WeightsError(
        f"the network needs pictures prepared with `{key}: {value}`, which instyle cannot do",
        where=str(where),
        hint="choose another network",
    )
