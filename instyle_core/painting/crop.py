"""The part of the photo around one object, and how its painting is put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.spec import COLORS_OF_STYLE, Color
from instyle_core.images.resize import resample
from instyle_core.interfaces.pictures import Size
from instyle_core.objects.boxes import crop
from instyle_core.objects.find import FoundObject
from instyle_core.painting.color import Palette
from instyle_core.painting.layers import layers_of


@dataclass(frozen=True)
class Crop:
    """The photo around one object, with its styles.

    Attributes:
        content: the photo with earlier objects repainted, float32 (3, H, W), in [0, 1]; where the
            object's edge is soft, the object's own color.
        paints: 0 or 1, (1, H, W): the pixels to repaint.
        mask: 0 or 1, (1, H, W): the object, over which losses are measured; its soft edge, too.
        styles: the style pictures, float32 (3, h, w).
        start: a picture to start from, (3, H, W); None for the content or noise.
        color: whether the object gets the colors of the style or keeps its own.
        merged_into: the photo as `content`, but what is behind the object where its edge is soft;
            None if no edge is.
    """

    content: Tensor
    paints: Tensor
    mask: Tensor
    styles: Sequence[Tensor]
    start: Tensor | None = None
    color: Color = COLORS_OF_STYLE
    merged_into: Tensor | None = None

    @property
    def behind(self) -> Tensor:
        """The picture (3, H, W) that the painting is merged into."""
        return self.content if self.merged_into is None else self.merged_into

    @classmethod
    def of(
        cls, found: FoundObject, canvas: Tensor, styles: Sequence[Tensor], start: Tensor | None
    ) -> Crop:
        """The crop around an object.

        Args:
            found: the object.
            canvas: the photo with earlier objects repainted, (3, H, W).
            styles: the style pictures.
            start: a picture of the photo's size to start from, or None.
        """
        mask = found.mask.each(lambda layer: crop(layer, found.box))
        paints = crop(found.paints, found.box)
        own = behind = crop(canvas, found.box)
        if mask.alpha is not None:
            own, behind = layers_of(behind, mask.alpha * paints)
        return cls(
            content=own,
            paints=paints,
            mask=mask.decision if mask.alpha is None else mask.support * paints,
            styles=styles,
            start=None if start is None else crop(start, found.box),
            color=found.plan.color,
            merged_into=behind,
        )

    def palette(self) -> Palette:
        """The colors of the object, as the spec wants them."""
        return Palette(self.color, self.content, self.mask)


def paints_at(paints: Tensor, size: Size) -> Tensor:
    """The pixels to repaint at another size: those that overlap a pixel of `paints`, (1, h, w)."""
    return (F.interpolate(paints[None], size, mode="area") > 0).float()[0]


def put_back(crop: Crop, picture: Tensor) -> Tensor:
    """The content with its painted pixels replaced by those of a painting, at full resolution.

    Only the object's pixels are taken from the painting, and resampled weighted by coverage: others
    would show as a fringe along its edge. Around the object, pixels that are to be painted continue
    it (`continued`). If the object keeps its colors, these are taken from the photo at full
    resolution.

    Args:
        crop: the crop that was painted.
        picture: the painting of it, (3, h, w), in [0, 1], of any size.

    Returns:
        (3, H, W).
    """
    full = picture
    if picture.shape != crop.content.shape:
        own = paints_at(crop.mask, (picture.shape[1], picture.shape[2]))
        height, width = crop.content.shape[1:]
        parts = resample(torch.cat([picture * own, own]), (height, width))
        full = (parts[:3] / parts[3:]).clamp(0, 1)
        full = crop.palette().painted(full, crop.content)
    full = continued(full, crop.mask, crop.paints)
    return torch.where(crop.paints > 0, full, crop.behind)


def continued(picture: Tensor, mask: Tensor, paints: Tensor) -> Tensor:
    """A picture (3, H, W) whose object goes on beyond its edge, as in a mirror.

    What no loss has looked at is not fit to be seen, but a merger may put the seam there, or blend
    over it. A pixel outside is as the one that is as far within, on the other side of the object's
    nearest pixel; or as that nearest pixel, where the object is thinner than that.

    Args:
        picture: of which only the object is used.
        mask: of the object, (1, H, W); without any, nothing is changed.
        paints: where to go on, (1, H, W).
    """
    inside = mask[0].cpu().numpy() > 0
    around = (paints[0].cpu().numpy() > 0) & ~inside
    if not (around.any() and inside.any()):
        return picture
    place = np.array(np.nonzero(around))
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    nearest = nearest[:, around]
    limits = np.array(inside.shape)[:, None]
    mirrored = 2 * nearest - place
    within = ((mirrored >= 0) & (mirrored < limits)).all(axis=0)
    within &= inside[tuple(mirrored.clip(0, limits - 1))]
    to, source = map(torch.from_numpy, (place, np.where(within, mirrored, nearest)))
    result = picture.clone()
    result[:, to[0], to[1]] = picture[:, source[0], source[1]]
    return result
