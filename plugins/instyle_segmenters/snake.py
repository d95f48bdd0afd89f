"""The segmenter ``snake``: a contour that moves until it lies on the object's edge."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import (
    morphological_chan_vese,
    morphological_geodesic_active_contour,
)
from torch import Tensor

from instyle_core import InputError, Prompt, Segmentation, Segmenter
from instyle_segmenters.params import SnakeParams
from instyle_segmenters.pointing import (
    SPOT,
    Binary,
    Scene,
    check,
    contrast,
    enlarge,
    largest,
    one_object,
    soften,
    to_lab,
    to_pixels,
    without,
)

#: The most pixels of the picture that the contour first moves on, and of the one that it is refined
#: on; sides double in between. An iteration moves it by a pixel, so large shapes are found quickly
#: on the small picture.
COARSE, FINE = 100_000, 1_600_000
#: Iterations at each finer size, and between two checks whether the contour still moves.
REFINING, STRIDE = 10, 10

# The proportions are the best of a few by mean IoU on 24 photos of VOC; the results hardly change
# around them.

#: Of `geodesic`: the standard deviation, in pixels, of the blur before edges are looked for.
EDGE = 3.0
#: The axes of the ellipse in the middle of a box whose colors are taken for the object's, as a
#: fraction of the box's sides.
CORE = 0.5
#: Around a point without a box: the radius of the disc that the contour starts from, whose colors
#: are taken for the object's, and the radius beyond which colors are taken for the background's; as
#: fractions of the shorter side.
NEAR, FAR = 0.15, 0.35
#: How steeply the edge map of `geodesic` falls, from 1 where colors do not change. It stops a
#: balloon that shrinks where it is below the second number, and one that grows where it is below
#: the third: where CIE Lab changes by 0.7 per pixel, and by 1.5.
STEEPNESS, STOPS_SHRINKING, STOPS_GROWING = 1000.0, 0.35, 0.25


class Snake(Segmenter):
    """Moves a contour from the ellipse that fills a box, or from a disc around a point.

    - ``chan-vese``: to where it best divides the picture into two parts, each of them uniform in
      how much the color of a pixel is more like those in the middle of the box than like those
      around it (a Gaussian in CIE Lab for either). Lightness alone finds few objects.
    - ``geodesic``: to where colors change; until then, a balloon force shrinks or grows it.

    The contour never leaves the box, and of what it encloses the largest connected region is the
    object. Where there is a box, a point only tells which object is meant. Several points tell
    what the object's colors are, too, and which regions are kept. The contour never encloses a
    small disc around a point that is not on the object; its colors are the background's. On a large
    picture, the
    contour first moves at a small size. The same picture and prompt give the same mask, bit for
    bit.

    Source: Márquez-Neila, Baumela and Álvarez, "A Morphological Approach to Curvature-based
    Evolution of Curves and Surfaces", PAMI 2014, as scikit-image has it.
    """

    def __init__(self, params: SnakeParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``.

        Raises:
            InputError: there is neither box nor point, the box is not in the picture, a point is
                not in the box, or nothing is left as an example of either.
        """
        pixels = to_pixels(image)
        check(prompt, pixels.shape[0], pixels.shape[1], who="snake")
        scene, place = Scene.of(pixels, prompt)
        if min(scene.size) < 2:
            raise InputError("a picture one pixel wide is no place for a contour")
        sizes = [min(FINE, scene.size[0] * scene.size[1])]
        while sizes[0] > COARSE:
            sizes.insert(0, sizes[0] // 4)
        contour: Binary | None = None
        for count, size in enumerate(sizes):
            small = scene.at_most(size)
            if contour is None:
                contour = small.ellipse(1) if small.boxed else small.disc(NEAR)
            else:
                contour = enlarge(contour.astype(np.float32), small.size) >= 0.5
            contour = self._move(small, contour, REFINING if count else self._params.iterations)
        assert contour is not None
        found = enlarge(contour.astype(np.float32), scene.size) >= 0.5
        found = _meant(found & scene.inside & ~scene.off, scene)
        return one_object(without(soften(found), scene.not_points), place, image)

    def _move(self, scene: Scene, contour: Binary, iterations: int) -> Binary:
        """The contour after so many iterations, or where it has stopped moving."""
        seen = self._seen(scene)
        inside = scene.inside & ~scene.off
        contour = contour & inside
        _restart_smoothing()
        left = iterations
        while left > 0:
            moved = self._iterate(scene, seen, contour, min(left, STRIDE)) & inside
            if np.array_equal(moved, contour):
                break
            contour = moved
            left -= STRIDE
        return contour

    def _seen(self, scene: Scene) -> NDArray[np.float64]:
        """What moves the contour, (h, w): the edge map, or the contrast of colors."""
        lab = to_lab(scene.pixels)
        if self._params.method == "geodesic":
            blurred = cv2.GaussianBlur(lab / 100, (0, 0), EDGE)
            slopes = np.stack(np.gradient(blurred, axis=(0, 1)))
            steepness = np.sqrt(np.square(slopes).sum(axis=(0, 3)))
            return 1 / np.sqrt(1 + STEEPNESS * steepness.astype(np.float64))
        inner, outer = _examples(scene)
        return contrast(lab, inner, outer).astype(np.float64)

    def _iterate(
        self, scene: Scene, seen: NDArray[np.float64], contour: Binary, count: int
    ) -> Binary:
        smoothing = self._params.smoothing
        if self._params.method == "chan-vese":
            return morphological_chan_vese(seen, count, contour, smoothing) > 0
        balloon = self._params.balloon
        if balloon is None:
            balloon = -1.0 if scene.boxed else 1.0
        # scikit-image divides the threshold by the balloon's strength.
        threshold = STOPS_SHRINKING if balloon < 0 else STOPS_GROWING
        moved = morphological_geodesic_active_contour(
            seen, count, contour, smoothing, threshold=threshold, balloon=balloon
        )
        return moved > 0


def _meant(found: Binary, scene: Scene) -> Binary:
    """Of the connected regions, those with one of several points; the largest where there are
    none."""
    if len(scene.points) > 1:
        x, y = np.array(scene.points).T
        _, regions = cv2.connectedComponents(found.astype(np.uint8))
        held = np.isin(regions, regions[y, x]) & found
        if held.any():
            return held
    return largest(found)


def _examples(scene: Scene) -> tuple[Binary, Binary]:
    """Examples of the object and of the background."""
    if scene.boxed:
        inner, outer = scene.ellipse(CORE), ~scene.inside
        if len(scene.points) > 1:
            inner |= scene.disc(SPOT)
        if not outer.any():  # the box is the whole picture
            outer = ~scene.ellipse(1)
    else:
        inner, outer = scene.disc(NEAR), scene.beyond(FAR)
    inner, outer = inner & ~scene.off, outer | scene.off
    if not (inner.any() and outer.any()):
        raise InputError(
            "there is nothing around the object to tell it from",
            hint="draw a box around the object that leaves some background, or use the segmenter "
            "mask",
        )
    return inner, outer


#: The two operators of `_restart_smoothing` give different results for this.
_PROBE = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]], np.int8)


def _restart_smoothing() -> None:
    """Make scikit-image start with the first of its two smoothing operators.

    It alternates between them, and goes on from one call to the next, so that earlier calls would
    change a few pixels of the result.
    """
    for _ in range(2):
        smoothed = morphological_chan_vese(np.zeros(_PROBE.shape), 1, _PROBE, smoothing=1)
        if not smoothed[1, 1]:  # this was the second operator, so the first is next
            return
