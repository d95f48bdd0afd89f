"""The segmenter ``mask``: a mask that the user has made."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import Instance, Prompt, Segmentation, Segmenter, read_mask
from instyle_segmenters.params import MaskParams


class MaskSegmenter(Segmenter):
    """Reads the object from a file. The prompt is not used.

    Raises:
        InputError: the file cannot be read, or its mask lies on its side.
    """

    def __init__(self, params: MaskParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        notes: list[str] = []
        size = (image.shape[1], image.shape[2])
        mask = read_mask(self._params.path, size, on_note=notes.append).to(image.device)
        if self._params.invert:
            mask = 1 - mask
        # One instance, however many pieces it is in: the user means all of it.
        instance = Instance("object", mask, 1.0)
        classes = ("background", "object")
        return Segmentation(classes, torch.cat([1 - mask, mask]), (instance,), tuple(notes))
