"""A merger that blends photo and painting over a band along the object's boundary."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from instyle_core import Mask, Merger
from instyle_mergers.params import FeatherParams


class FeatherMerger(Merger):
    """Alpha compositing, ``(1 - a) content + a stylized``, with the opacity 1/2 at the boundary.

    The opacity a, with the signed distance d to the boundary in pixels, is

    - matte ``distance``: ``a = t² (3 - 2t)``, ``t = clamp(1/2 + d / width, 0, 1)``. It is odd about
      the boundary, so the object neither grows nor shrinks. The smoothstep has no kinks at the ends
      of the band; a linear ramp's show as lines (Mach bands) where the band is wide.
    - matte ``probability``: the mask's probability, to the nearest of 256 levels. Less than half a
      level could not be seen, but softmax gives every pixel of a photo a trace of every class.

    If the mask has an alpha, that is the opacity, for the edge is known to be as soft as that.

    The band lies on both sides of the boundary and is painted throughout, so only true painting is
    blended with the photo, and no halo of either is drawn along the seam.

    Values are blended as they are, in sRGB, which is close to even steps for the eye: in linear
    light the brighter of the two sides would seem to reach over the boundary.
    """

    def __init__(self, params: FeatherParams) -> None:
        self._params = params

    def paints(self, mask: Mask) -> Tensor:
        return mask.support if mask.alpha is not None else (self._opacity(mask) > 0).float()

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        # lerp counts from the nearer end, so opacities of 0 and 1 give exact copies.
        return torch.lerp(content, stylized, self._opacity(mask))

    def _opacity(self, mask: Mask) -> Tensor:
        """float32 (1, H, W), in [0, 1]."""
        if mask.alpha is not None:
            return mask.alpha
        if self._params.matte == "probability":
            return (mask.probability * 255).round() / 255
        return smoothstep(signed_distance(mask.decision), self._params.width)


def smoothstep(distance: Tensor, width: float) -> Tensor:
    """The opacity ``t² (3 - 2t)``, ``t = clamp(1/2 + d / width, 0, 1)``, of a `signed_distance`."""
    # No pixel has a distance of 0, so that a width of 0 gives +-inf, which is a hard edge.
    t = (0.5 + distance / width).clamp(0, 1)
    return t * t * (3 - 2 * t)


def signed_distance(decision: Tensor) -> Tensor:
    """The distance of each pixel's center to the object's boundary, in pixels.

    ``d = D - 1/2`` inside and ``1/2 - D`` outside, where D is the Euclidean distance to the nearest
    pixel of the other side: the boundary is half-way between the two. The border of the picture is
    no boundary; without any, distances are huge.

    Args:
        decision: (1, H, W), 0 or 1.

    Returns:
        float32 (1, H, W), positive inside; never within 1/2 of 0.
    """
    # Not kornia's distance_transform: it is a chain of soft approximations that is wrong by half a
    # pixel at 3 pixels and by 14 at 50, and takes a hundred times as long as this exact one.
    inside = (decision[0] > 0).cpu().numpy().astype(np.uint8)
    within, without = (
        cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (inside, 1 - inside)
    )
    signed = np.where(inside > 0, within - 0.5, 0.5 - without)
    return torch.from_numpy(signed)[None].to(decision.device)
