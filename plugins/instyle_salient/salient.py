"""The segmenter ``salient``: what stands out in a photo."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Prompt, Segmentation, Segmenter, WeightsError, fetch
from instyle_salient.models import MODELS
from instyle_salient.network import Network
from instyle_salient.params import SalientParams

#: How far beyond 0 and 1 a probability may be for rounding.
_TOLERANCE = 1e-3


class Salient(Segmenter):
    """What stands out, by a network in an ONNX file.

    The picture is brought to the network's size, whatever its proportions, and normalized as the
    network's authors do; the mask is enlarged. Other than with them, the mask is not stretched to
    reach from 0 to 1: that would make an object of the strongest noise where nothing stands out.

    Source: Qin et al. 2020, "U2-Net"; Qin et al. 2022, "Highly Accurate Dichotomous Image
    Segmentation" (IS-Net); Zheng et al. 2024, "Bilateral Reference for High-Resolution Dichotomous
    Image Segmentation" (BiRefNet).

    Raises:
        WeightsError: the network cannot be downloaded or loaded, or is not of this kind.
    """

    def __init__(self, params: SalientParams) -> None:
        self._model = MODELS[params.model]
        self._path = params.weights or fetch(self._model.weights)
        self._network = Network(self._path, self._model.size)

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``; the prompt is not used.

        Raises:
            WeightsError: the network fails, or its answer is no probability.
        """
        seen = F.interpolate(
            image[None].cpu(), self._network.size, mode="bilinear", antialias=True
        )[0]
        if self._model.brightest:
            seen = seen / seen.max().clamp(min=1e-6)
        mean, std = (seen.new_tensor(v)[:, None, None] for v in (self._model.mean, self._model.std))
        answer = torch.from_numpy(self._network(((seen - mean) / std).numpy()))
        mask = answer.sigmoid() if self._model.is_logit else self._checked(answer)
        size = (image.shape[1], image.shape[2])
        mask = F.interpolate(mask[None, None], size, mode="bilinear", antialias=True)[0].to(image)
        return Segmentation(("background", "object"), torch.cat([1 - mask, mask]))

    def _checked(self, answer: Tensor) -> Tensor:
        least, most = float(answer.min()), float(answer.max())
        if least < -_TOLERANCE or most > 1 + _TOLERANCE:
            raise WeightsError(
                f"the network's answer goes from {least:.3g} to {most:.3g}, and is no probability",
                where=str(self._path),
                hint="if these are logits, say `model: birefnet-general-lite`, whose are",
            )
        return answer.clamp(0, 1)
