"""The segmenter ``grabcut``: an object cut out by its colors and edges, without weights."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from instyle_core import InputError, Prompt, Segmentation, Segmenter
from instyle_segmenters.params import GrabCutParams
from instyle_segmenters.pointing import (
    Binary,
    Pixels,
    check,
    fill_holes,
    one_object,
    room,
    shrunk_size,
    soften,
    to_pixels,
    window,
    without,
)

#: The most pixels that a first cut is made on, and that it is refined on. A cut's time grows faster
#: than their number, but a cut along an edge that is nearly known is quick.
COARSE, FINE = 250_000, 4_000_000
#: The colors of either side are a mixture of 5 Gaussians, which takes 5 pixels to learn.
FEWEST = 5

# The proportions are the best of a few by mean IoU on 40 photos of VOC; only the disc of sure
# pixels is smaller than the best, so that it fits on small objects.

#: The axes of the ellipse in the middle of a box that is taken for the object, as a fraction of the
#: box's sides.
CORE = 0.25
#: The radii of the discs around a point that are surely, and probably, the object, as fractions of
#: the shorter side of the box or picture.
SURE, PROBABLE = 0.05, 0.25

#: A label besides GrabCut's: background, since a point says so.
OFF = 4

Labels = NDArray[np.uint8]
#: (x, y, label).
Mark = tuple[int, int, int]


class GrabCut(Segmenter):
    """Cuts one object out of a photo, from a box, a point or both.

    In turns, mixtures of Gaussians are fitted to the colors of object and background, and the cut
    is found that is cheapest by them and by the edges that it follows. From the start,

    - with a box, nothing outside of it is the object, and the ellipse in its middle is;
    - with a point, a small disc around it is the object, a larger one probably is, the rest not;
    - with both, nothing outside of the box is the object, and the small disc is.

    Of several points, the same holds for each; and a small disc around a point that is not on the
    object is background. The object is one connected region without small holes, or a few that
    points lie in. A box is by far the better prompt: a
    point does not tell how large the object is. The same picture and prompt give the same mask, bit
    for bit.

    Source: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004, as OpenCV has it.
    """

    def __init__(self, params: GrabCutParams) -> None:
        self._iterations = params.iterations

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``.

        Raises:
            InputError: there is neither box nor point, the box is not in the picture, a point is
                not in the box, or too few pixels are left to the object or to the background.
        """
        pixels = to_pixels(image)
        height, width = pixels.shape[:2]
        check(prompt, height, width, who="grabcut")
        seed = _seed(prompt, height, width)
        place = window(prompt.box, height, width)
        x0, y0, x1, y1 = place
        marks = [
            (x - x0, y - y0, label)
            for label, points in ((OFF, prompt.not_points), (cv2.GC_FGD, prompt.points))
            for x, y in points
            if x0 <= x < x1 and y0 <= y < y1
        ]
        found = _cut_out(pixels[y0:y1, x0:x1], seed[y0:y1, x0:x1], marks, self._iterations)
        not_points = [(x, y) for x, y, label in marks if label == OFF]
        return one_object(without(soften(found), not_points), place, image)


def _seed(prompt: Prompt, height: int, width: int) -> Labels:
    """What is known from the start, in GrabCut's labels and `OFF`, (H, W)."""
    x0, y0, x1, y1 = prompt.box or (0, 0, width, height)
    sides = x1 - x0, y1 - y0
    probable = cv2.GC_PR_FGD if prompt.box else cv2.GC_PR_BGD
    seed = np.full((height, width), probable, np.uint8)
    sure = round(SURE * min(sides))
    if not prompt.points:
        axes = round(CORE / 2 * sides[0]), round(CORE / 2 * sides[1])
        cv2.ellipse(seed, ((x0 + x1) // 2, (y0 + y1) // 2), axes, 0, 0, 360, cv2.GC_FGD, -1)
    for point in () if prompt.box else prompt.points:
        cv2.circle(seed, point, round(PROBABLE * min(sides)), cv2.GC_PR_FGD, -1)
    for point in prompt.points:
        cv2.circle(seed, point, room(point, prompt.not_points, sure), cv2.GC_FGD, -1)
    outside = np.ones((height, width), dtype=bool)
    outside[y0:y1, x0:x1] = False
    seed[outside] = cv2.GC_BGD
    for point in prompt.not_points:
        cv2.circle(seed, point, room(point, prompt.points, sure), OFF, -1)
    return seed


def _cut_out(pixels: Pixels, seed: Labels, marks: Sequence[Mark], iterations: int) -> Binary:
    """The object in a window of the photo, (h, w): a coarse cut, and a fine one along its edge."""
    whole, (height, width) = seed, seed.shape
    pixels, seed = _shrink(pixels, seed, marks, whole.shape, FINE)
    coarse_pixels, coarse_seed = _shrink(pixels, seed, marks, whole.shape, COARSE)
    found = _grabcut(coarse_pixels, coarse_seed, iterations)
    if coarse_seed.size < seed.size:
        band = _band(found, coarse_seed)
        band = cv2.resize(band, seed.shape[::-1], interpolation=cv2.INTER_NEAREST)
        found = _grabcut(pixels, band, iterations=1)
    large = np.asarray(cv2.resize(found.astype(np.float32), (width, height)) >= 0.5)
    return large & (whole != OFF)


def _shrink(
    pixels: Pixels, seed: Labels, marks: Sequence[Mark], full: tuple[int, ...], most: int
) -> tuple[Pixels, Labels]:
    """Picture and labels with so many pixels at most.

    No mark is lost; where several fall together, the last one counts. They are in pixels of the
    size `full`.
    """
    height, width = shrunk_size((seed.shape[0], seed.shape[1]), most)
    if (height, width) == seed.shape:
        return pixels, seed
    size = width, height
    small = np.asarray(cv2.resize(seed, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    for x, y, label in marks:
        small[y * height // full[0], x * width // full[1]] = label
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), small


def _band(found: Binary, seed: Labels) -> Labels:
    """The seed of the fine cut: only 2 pixels on either side of the coarse one are open."""
    mask = found.astype(np.uint8)
    reach = np.ones((5, 5), np.uint8)
    band = np.where(found, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    band[(cv2.dilate(mask, reach) == 0) | (seed == cv2.GC_BGD)] = cv2.GC_BGD
    band[(cv2.erode(mask, reach) == 1) | (seed == cv2.GC_FGD)] = cv2.GC_FGD
    band[seed == OFF] = OFF
    return band


def _grabcut(pixels: Pixels, seed: Labels, iterations: int) -> Binary:
    """One run of GrabCut, cleaned up."""
    sure = seed == cv2.GC_FGD
    inside = int((sure | (seed == cv2.GC_PR_FGD)).sum())
    if not sure.any() or min(inside, seed.size - inside) < FEWEST:
        raise InputError(
            f"too little to tell the object from its background: {inside} pixels are marked as the "
            f"object, and {seed.size - inside} are around it",
            hint="draw a box around the object that leaves some background, or use the segmenter "
            "mask",
        )
    off = seed == OFF
    labels = np.where(off, cv2.GC_BGD, seed).astype(np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # The mixtures start from k-means, which draws from OpenCV's random numbers.
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(pixels), labels, None, *models, iterations, cv2.GC_INIT_WITH_MASK
    )
    return _clean_up((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), sure, off)


def _clean_up(found: Binary, sure: Binary, off: Binary) -> Binary:
    """The regions with sure pixels, their outline smoothed and their small holes filled."""
    smooth = (cv2.medianBlur(found.astype(np.uint8), 5).astype(bool) | sure) & ~off
    _, regions = cv2.connectedComponents(smooth.astype(np.uint8))
    return fill_holes(np.isin(regions, np.unique(regions[sure])), off) & ~off
