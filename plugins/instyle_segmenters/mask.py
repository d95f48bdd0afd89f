"""The segmenter ``mask``: a mask that the user has made."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from instyle_core import Instance, Prompt, Segmentation, Segmenter, read_mask
from instyle_segmenters.params import MaskParams


class MaskSegmenter(Segmenter):
    """Reads the object from a file, or from several as one. The prompt is not used.

    Of the masks p that are added, the largest counts; a mask s that is subtracted leaves
    min(p, 1 - s).

    Raises:
        InputError: a file cannot be read, or its mask lies on its side.
    """

    def __init__(self, params: MaskParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        notes: list[str] = []

        def read(path: Path) -> Tensor:
            size = (image.shape[1], image.shape[2])
            return read_mask(path, size, on_note=notes.append).to(image.device)

        params = self._params
        mask = torch.zeros_like(image[:1])
        if params.path:
            mask = 1 - read(params.path) if params.invert else read(params.path)
        for path in params.add or ():
            mask = torch.maximum(mask, read(path))
        for path in params.subtract or ():
            mask = torch.minimum(mask, 1 - read(path))
        # One instance, however many pieces it is in: the user means all of it.
        instance = Instance("object", mask, 1.0)
        classes = ("background", "object")
        return Segmentation(classes, torch.cat([1 - mask, mask]), (instance,), tuple(notes))
