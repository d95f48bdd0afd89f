"""A merger that blends coarse structure over a wide band and fine structure over a narrow one."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from kornia.geometry.transform import pyrdown, pyrup
from torch import Tensor
from torch.nn import functional as F

from instyle_core import Mask, Merger
from instyle_mergers.feather import signed_distance
from instyle_mergers.params import MultibandParams

#: Far below half a level of 16 bits, and above the error of sums in float32.
_ROUNDING = 1e-6


class MultibandMerger(Merger):
    """Laplacian-pyramid blending: each band of frequencies over about its own wavelength.

    With the Gaussian pyramid G_k of the mask and the Laplacian pyramids L_k of both pictures, band
    k is ``(1 - G_k) L_k(content) + G_k L_k(stylized)``, and the bands are summed. The pyramid is
    linear, so this is the photo plus the bands ``G_k L_k(stylized - content)``, as is computed
    here; pixels that blending moves by less than rounding does are copies of either picture.

    Coarse bands carry the photo's colors into the object and the painting's out of it, as a glow.
    Of that, what would fall outside of the painted band of ``2^(levels + 1)`` pixels is left out;
    at its rim, an even change has less than a twentieth of its strength.

    The mask is 0 or 1; if it has an alpha, it is that.

    Source: Burt and Adelson, "A Multiresolution Spline with Application to Image Mosaics", 1983.
    """

    def __init__(self, params: MultibandParams) -> None:
        self._levels = params.levels

    def paints(self, mask: Mask) -> Tensor:
        return (signed_distance(mask.support) > -(2 ** (self._levels + 1))).float()

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        height, width = content.shape[1:]
        block = 2**self._levels
        opacity = mask.decision if mask.alpha is None else mask.alpha
        layers = torch.cat([stylized - content, opacity])[None]
        # Sides that can be halved so often; the picture goes on as it ends.
        layers = F.pad(layers, (0, -width % block, 0, -height % block), mode="replicate")
        change = _blend(layers[:, :3], layers[:, 3:], self._levels)[0, :, :height, :width]
        hard = torch.lerp(content, stylized, opacity)
        merged = torch.where(self.paints(mask) > 0, (content + change).clamp(0, 1), content)
        return torch.where((merged - hard).abs() > _ROUNDING, merged, hard)


def _blend(change: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Sum over k of ``G_k(mask) L_k(change)``, from this level of the pyramid on."""
    if not levels:
        return mask * change
    coarse = pyrdown(change, "replicate")
    finer = change - pyrup(coarse, "replicate")
    return mask * finer + pyrup(_blend(coarse, pyrdown(mask, "replicate"), levels - 1), "replicate")
