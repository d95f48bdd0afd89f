"""How visible the seam of a merged picture is."""

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

#: The halo is measured over so many pixels around the object.
AROUND = 8

#: If photo and painting differ by less, in levels of 255, a pixel does not show which one it is.
_ALIKE = 2.0


@dataclass(frozen=True)
class Seam:
    """Two figures to be read together: a merger that blends widely has no jump, but a halo.

    Both are in levels, from 0 to 255. The difference of two colors is the root of the mean square
    of their differences in R, G and B.

    Attributes:
        jump: how much larger the step from photo to painting in the merged picture is than the
            photo's own step at the same place (`jump_across`).
        halo: how much the photo was changed around the object: the mean difference between the
            merged picture and the photo over the pixels outside of the mask within 8 of it.
    """

    jump: float
    halo: float


def measure_seam(content: Tensor, stylized: Tensor, merged: Tensor, mask: Mask) -> Seam:
    """Measure the seam that a merger made.

    Args:
        content: the photo that the merger was given, float32 (3, H, W), in [0, 1].
        stylized: the painting that it was given, likewise; the same as the photo where nothing was
            painted.
        merged: the picture that it returned.
        mask: the object's.

    Returns:
        The figures. They are 0 if photo and painting are the same, the jump also if there is no
        seam, and the halo if there is nothing around the object.
    """
    side = painting_side(content, stylized, merged, mask)
    return Seam(jump_across(content, merged, side), _halo(content, merged, mask))


def painting_side(content: Tensor, stylized: Tensor, merged: Tensor, mask: Mask) -> Tensor:
    """The pixels of the merged picture that are painting, not photo: float32 (1, H, W), 0 or 1.

    A pixel is that of the two whose color is nearer. If photo and painting differ by less than 2
    levels, its color does not tell, and it is what the nearest other pixel is. Pixels outside of
    the mask at which both are equal to the last bit were not painted, so they are photo. Arguments
    as for `measure_seam`.
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
    """How much larger the steps of a merged picture M across a boundary are than the photo C's.

    ``mean over x of max(0, |M_1(x) - M_0(x)| - |C_1(x) - C_0(x)|)``, in levels, where x goes over
    the pixels that have one of their four neighbors on the other side of the boundary, and
    ``P_i(x)`` is the mean of a picture P over the pixels of side i around x, in a Gaussian window
    with a standard deviation of 2 pixels.

    A flat disc of level b on a background of level a that is repainted to c has
    ``max(0, |c - a| - |b - a|)``, whatever its size. With `painting_side` as the sides, this
    measures the seam that the merger made; with the mask's decision, the object's own boundary.

    Args:
        content: C, float32 (3, H, W), in [0, 1].
        merged: M, likewise.
        side: (1, H, W), 0 or 1; the jump is 0 if it has no boundary.
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
    """The difference between the means of the two sides, (H, W); valid at a boundary."""
    pixels = picture.permute(1, 2, 0).cpu().numpy()
    means = []
    for side in (one, ~one):
        weight = side.astype(np.float32)[..., None]
        total, mass = (_window(layer) for layer in (pixels * weight, weight))
        means.append(total / np.maximum(mass, 1e-12)[..., None])
    return np.sqrt(np.square(means[0] - means[1]).mean(axis=-1))


def _window(layers: NDArray[np.float32]) -> NDArray[np.float32]:
    # Zeros beyond the border of the picture: neither the sums nor their weights count it.
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
    """Each unknown pixel gets the flag of the nearest known one."""
    hidden = unknown.cpu().numpy().astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        hidden, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    known = hidden == 0
    table = np.zeros(int(nearest.max()) + 1, dtype=bool)
    table[nearest[known]] = flags.cpu().numpy()[known]
    return torch.from_numpy(table[nearest]).to(flags.device)
