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
        InputError: the file cannot be read.
    """

    def __init__(self, params: MaskParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        mask = read_mask(self._params.path, (image.shape[1], image.shape[2])).to(image.device)
        if self._params.invert:
            mask = 1 - mask
        # One instance, however many pieces it is in: the user means all of it.
        instance = Instance("object", mask, 1.0)
        return Segmentation(("background", "object"), torch.cat([1 - mask, mask]), (instance,))
