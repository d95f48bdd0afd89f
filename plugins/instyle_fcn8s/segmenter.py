"""The segmenter ``fcn8s``."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Prompt, Segmentation, Segmenter, fetch
from instyle_fcn8s import checkpoint
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.weights import ANIMALS


class FCN8s(Segmenter):
    """A trained `FCN`: class probabilities by softmax over its scores.

    Raises:
        WeightsError: the file of weights cannot be used.
    """

    def __init__(self, params: FCN8sParams) -> None:
        path = params.weights or fetch(ANIMALS)
        self._size = params.size
        self._mirror = params.mirror
        self._network = checkpoint.load(path)

    # Not inference_mode: its tensors cannot be saved for a backward pass, and masks are.
    @torch.no_grad()
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture; the prompt is not used, since every class is found at once."""
        height, width = image.shape[1:]
        shrink = min(1.0, self._size / max(height, width))
        seen = image[None]
        if shrink < 1:
            size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
            seen = F.interpolate(seen, size, mode="bilinear", antialias=True)
        network = self._network.to(image.device)
        probabilities = network(seen).softmax(dim=1)
        if self._mirror:
            mirrored = network(seen.flip(-1)).softmax(dim=1).flip(-1)
            probabilities = (probabilities + mirrored) / 2
        if shrink < 1:
            probabilities = F.interpolate(probabilities, (height, width), mode="bilinear")
        return Segmentation(self._network.classes, probabilities[0])
