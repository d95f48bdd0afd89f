"""The segmenter ``fcn8s``."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import InputError, Prompt, Segmentation, Segmenter, WeightsError
from instyle_fcn8s import checkpoint
from instyle_fcn8s.params import FCN8sParams


class FCN8s(Segmenter):
    """A trained `FCN`: class probabilities by softmax over its scores.

    Raises:
        WeightsError: there is no file of weights, or it cannot be used.
        InputError: the file is of another encoder or variant than the parameters ask for.
    """

    def __init__(self, params: FCN8sParams) -> None:
        if params.weights is None:
            raise WeightsError(
                "fcn8s has no weights: trained ones come with a later release",
                hint="name a file, `segmenter: {use: fcn8s, weights: file.safetensors}`, or use "
                "another segmenter",
            )
        self._size = params.size
        self._network = checkpoint.load(params.weights)
        for name, wanted, actual in (
            ("encoder", params.encoder, self._network.encoder_name),
            ("variant", params.variant, self._network.variant),
        ):
            if wanted not in (None, actual):
                raise InputError(
                    f"the weights are of the {name} {actual}, not {wanted}",
                    where=str(params.weights),
                    hint=f"leave `{name}` out, or set it to {actual}",
                )

    # Not inference_mode: its tensors cannot be saved for a backward pass, and masks are.
    @torch.no_grad()
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture; the prompt has no use here, for every class is found at once."""
        height, width = image.shape[1:]
        shrink = min(1.0, self._size / max(height, width))
        seen = image[None]
        if shrink < 1:
            size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
            seen = F.interpolate(seen, size, mode="bilinear", antialias=True)
        probabilities = self._network.to(image.device)(seen).softmax(dim=1)
        if shrink < 1:
            probabilities = F.interpolate(probabilities, (height, width), mode="bilinear")
        return Segmentation(self._network.classes, probabilities[0])
