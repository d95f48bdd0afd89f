"""The segmenter ``fcn8s``."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Prompt, Segmentation, Segmenter, fetch
from instyle_fcn8s import checkpoint
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.prior import with_prior
from instyle_fcn8s.weights import ANIMALS


class FCN8s(Segmenter):
    """A trained `FCN`: class probabilities by softmax over its scores.

    They are the mean over several sizes of the picture and of the mirrored picture; then classes
    that cover little of it give way to those that cover more (`with_prior`).

    Raises:
        WeightsError: the file of weights cannot be used.
    """

    def __init__(self, params: FCN8sParams) -> None:
        path = params.weights or fetch(ANIMALS)
        self._params = params
        self._network = checkpoint.load(path)

    # Not inference_mode: its tensors cannot be saved for a backward pass, and masks are.
    @torch.no_grad()
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture; the prompt is not used, since every class is found at once."""
        height, width = image.shape[1:]
        shrink = min(1.0, self._params.size / max(height, width))
        size = max(1, round(height * shrink)), max(1, round(width * shrink))
        # All of it at the size that is seen, whatever the picture's: memory grows with pixels.
        looks = [self._look(image, size, scale) for scale in self._params.scales]
        probabilities = torch.stack(looks).mean(dim=0)
        if self._params.prior:
            probabilities = with_prior(probabilities, self._params.prior)
        full = _resized(probabilities[None], (height, width))[0]
        return Segmentation(self._network.classes, full)

    def _look(self, image: Tensor, size: tuple[int, int], scale: float) -> Tensor:
        """The probabilities (K, h, w) at a size (h, w), of the picture seen at `scale` times it."""
        seen = _resized(image[None], tuple(max(1, round(scale * side)) for side in size))
        network = self._network.to(image.device)
        probabilities = network(seen).softmax(dim=1)
        if self._params.mirror:
            mirrored = network(seen.flip(-1)).softmax(dim=1).flip(-1)
            probabilities = (probabilities + mirrored) / 2
        return _resized(probabilities, size)[0]


def _resized(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """By bilinear interpolation, with smoothing where pixels become fewer."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(
        images, size, mode="bilinear", antialias=size[0] * size[1] < images[0, 0].numel()
    )
