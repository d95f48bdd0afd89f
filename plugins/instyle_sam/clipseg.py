"""An object by words: CLIPSeg."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import math

import torch
import transformers
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Segmentation
from instyle_sam.loading import finite, folder_of, load, working
from instyle_sam.params import TextParams
from instyle_sam.reading import inputs_for, nothing_fits
from instyle_sam.weights import READERS, WORDS

_KINDS = {"clipseg": (transformers.CLIPSegForImageSegmentation, transformers.CLIPSegProcessor)}

#: The least probability of the object's pixels.
THRESHOLD = 0.5


class Clipseg:
    """Where a photo is what a text names, pixel by pixel; the network sees 352x352 pixels.

    The logits are enlarged, and shifted so that the threshold lies at a probability of one half.

    Source: Lüddecke and Ecker 2022, "Image Segmentation Using Text and Image Prompts".

    Raises:
        WeightsError: the network cannot be downloaded or loaded.
    """

    def __init__(self, params: TextParams) -> None:
        self._folder = folder_of(READERS["clipseg"], params.source, WORDS)
        self._network, self._processor = load(self._folder, _KINDS, "segment by words alone")
        self._threshold = THRESHOLD if params.threshold is None else params.threshold

    def __call__(self, image: Tensor, text: str) -> Segmentation:
        """Segment a photo (3, H, W) into ``background`` and ``object``.

        Raises:
            InputError: the text is too long, or nothing fits it.
            WeightsError: the network fails.
        """
        most = self._network.config.text_config.max_position_embeddings
        with working(self._folder):
            inputs = inputs_for(self._processor, image, text, most)
            logits = self._network.to(image.device)(**inputs).logits
        logits = finite(logits, self._folder).reshape(1, 1, *logits.shape[-2:])
        size = (image.shape[1], image.shape[2])
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)[0]
        best = float(logits.max().sigmoid())
        if best < self._threshold:
            raise nothing_fits(text, best, self._threshold)
        mask = (logits - math.log(self._threshold / (1 - self._threshold))).sigmoid()
        return Segmentation(("background", "object"), torch.cat([1 - mask, mask]))
