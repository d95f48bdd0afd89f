"""The refiner ``guided``: a guided filter."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from kornia.filters import guided_blur
from torch import Tensor

from instyle_core import Mask, Refiner
from instyle_refiners.params import GuidedParams

#: The longest side, in pixels, of the picture that the filter's statistics are computed on.
_SIDE = 512


class GuidedRefiner(Refiner):
    """Fits the mask, window by window, by a linear function of the photo's colors.

    In each window of ``2 r + 1`` pixels the probability p is replaced by ``a . I + b``, with a and
    b of least squares and a ridge of ``epsilon``; windows are averaged. Where p changes near an
    edge of the photo, it changes at that edge afterward. On large photos, a and b are computed on a
    smaller picture and applied to the full one.

    Source: He, Sun and Tang, "Guided Image Filtering", ECCV 2010, equations 5 to 8; He and Sun,
    "Fast Guided Filter", arXiv:1505.00996.
    """

    def __init__(self, params: GuidedParams) -> None:
        self._params = params

    def refine(self, image: Tensor, mask: Mask) -> Mask:
        """Filter the probability; pixels above one half are the object's.

        Where the filter leaves none of them, the mask stays as it is.
        """
        height, width = image.shape[1:]
        subsample = max(1, max(height, width) // _SIDE)
        # In pixels of the smaller picture; the filter mirrors it once at its border.
        reach = max(1, round(self._params.radius * max(height, width) / subsample))
        reach = min(reach, min(height, width) // subsample - 1)
        if reach < 1:
            return mask
        filtered = guided_blur(
            image[None],
            mask.probability[None],
            2 * reach * subsample + 1,
            self._params.epsilon,
            subsample=subsample,
        )
        probability = filtered[0].clamp(0, 1)
        decision = (probability > 0.5).float()
        return Mask(probability, decision) if decision.any() else mask
