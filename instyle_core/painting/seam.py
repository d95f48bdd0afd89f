"""How far the seam of a merged picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core.interfaces.pictures import Mask

#: Standard deviation of the Gaussian window that a side's color is averaged over, in pixels.
WINDOW = 2.0


#: How far around the object the photo is looked at for a halo, in pixels.
AROUND = 8


#: Where photo and painting differ by less, in levels of 255, nothing tells which of them is seen.
_ALIKE = 2.0


@dataclass(frozen=True)
class Seam:
    """Two figures that belong together: whoever blends widely has no jump, but a halo.

    Both are in levels, from 0 to 255; a difference of colors is the root of its mean square over
    R, G and B.

    Attributes:
        jump: how much more the merged picture jumps where it turns from photo to painting than the
            photo does at the same place (`jump_across`).
        halo: how much the photo was changed around the object: the mean difference between the
            merged picture and the photo over the pixels outside of the mask within 8 of it.
    """

    jump: float
    halo: float


def measure_seam(content: Tensor, stylized: Tensor, merged: Tensor, mask: Mask) -> Seam:
    """Measure what a merger made.

    Args:
        content: what it was given: the photo, float32 (3, H, W), in [0, 1].
        stylized: likewise; the photo's own pixels where nothing was painted.
        merged: what it returned.
        mask: the object's.

    Returns:
        The figures; 0 where there is no seam or nothing around the object, as with an object that
        fills the picture, and where photo and painting are the same.
    """
    side = painting_side(content, stylized, merged, mask)
    return Seam(jump_across(content, merged, side), _halo(content, merged, mask))


def painting_side(content: Tensor, stylized: Tensor, merged: Tensor, mask: Mask) -> Tensor:
    """Where the merged picture is painting rather than photo: float32 (1, H, W), 0 or 1.

    A pixel goes to the nearer of the two by its color. Where they differ by less than 2 levels, it
    goes with the nearest pixel that can be told; outside of the mask, where they are the same to
    the last bit, nothing was painted, so that it is photo. Arguments as for `measure_seam`.
    """
    inside = mask.decision[0] > 0
    change = _difference(stylized, content)
    unknown = (change < _ALIKE / 255) & ((change > 0) | inside)
    painting = _difference(merged, stylized) < _difference(merged, content)
    painting &= ~unknown
    if unknown.any() and painting.any():
        painting = _spread(painting, unknown)
    return painting[None].float()


def jump_across(content: Tensor, merged: Tensor, side: Tensor) -> float:
    """How much more a merged picture M jumps across a boundary than the photo C, in levels.

    ``mean over x of max(0, |M_1(x) - M_0(x)| - |C_1(x) - C_0(x)|)``, where x goes over the pixels
    with one of their four neighbors on the other side of the boundary, and ``P_i(x)`` is the mean
    of a picture over the pixels of side i around x, in a Gaussian window of 2 pixels.

    A flat disc of level b on a field of level a that is repainted to c has
    ``max(0, |c - a| - |b - a|)``, whatever its size. With `painting_side` this is the seam that the
    merger made; with the mask's decision, it is what shows at the object's own boundary.

    Args:
        content: C, float32 (3, H, W), in [0, 1].
        merged: M, likewise.
        side: (1, H, W), 0 or 1; without a boundary in it the jump is 0.
    """
    one = (side[0] > 0).cpu().numpy()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    bits = one.astype(np.uint8)
    boundary = cv2.dilate(bits, cross) != cv2.erode(bits, cross)
    if not boundary.any():
        return 0.0
    before, after = (_step(picture, one)[boundary] for picture in (content, merged))
    return 255 * float(np.maximum(after - before, 0).mean())


def _step(picture: Tensor, one: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The difference between the two sides around each pixel, (H, W); for pixels on a boundary."""
    pixels = picture.permute(1, 2, 0).cpu().numpy()
    means = []
    for side in (one, ~one):
        weight = side.astype(np.float32)[..., None]
        total, mass = (_window(layer) for layer in (pixels * weight, weight))
        means.append(total / np.maximum(mass, 1e-12)[..., None])
    return np.sqrt(np.square(means[0] - means[1]).mean(axis=-1))


def _window(layers: NDArray[np.float32]) -> NDArray[np.float32]:
    # Nothing is made up beyond the border of the picture: both sums see zeros there.
    return cv2.GaussianBlur(layers, (0, 0), WINDOW, borderType=cv2.BORDER_CONSTANT)


def _halo(content: Tensor, merged: Tensor, mask: Mask) -> float:
    outside = (mask.decision[0] <= 0).cpu().numpy().astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    around = torch.from_numpy((distance > 0) & (distance <= AROUND))
    changes = _difference(merged, content).cpu()[around]
    return 255 * float(changes.mean()) if len(changes) else 0.0


def _difference(one: Tensor, other: Tensor) -> Tensor:
    """(H, W)."""
    return (one - other).square().mean(dim=0).sqrt()


def _spread(flags: Tensor, unknown: Tensor) -> Tensor:
    """Each unknown pixel takes the flag of the nearest known one."""
    hidden = unknown.cpu().numpy().astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        hidden, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    known = hidden == 0
    table = np.zeros(int(nearest.max()) + 1, dtype=bool)
    table[nearest[known]] = flags.cpu().numpy()[known]
    return torch.from_numpy(table[nearest]).to(flags.device)
