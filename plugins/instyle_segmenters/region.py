"""The segmenter ``region``: an object grown from a point on it."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import numpy as np
from skimage.segmentation import flood, random_walker
from torch import Tensor

from instyle_core import InputError, Prompt, Segmentation, Segmenter
from instyle_segmenters.params import RegionParams
from instyle_segmenters.pointing import (
    SPOT,
    Binary,
    Plane,
    Point,
    Scene,
    check,
    contrast,
    enlarge,
    fill_holes,
    one_object,
    soften,
    to_lab,
    to_pixels,
    without,
)

#: The most pixels that walks are computed on, which takes a second, and that a region grows on.
WALKED, GROWN = 100_000, 4_000_000

# The proportions are the best of a few by mean IoU on 24 photos of VOC.

#: The axes of the ellipse in the middle of a box that is taken for the object where there is no
#: point, as a fraction of the box's sides.
CORE = 0.5
#: The radius of the disc around a point that is taken for the object, within a box and without one,
#: and the radius beyond which colors are examples of background; as fractions of the shorter side
#: of the box or picture.
WITHIN, WITHOUT, FAR = 0.2, 0.15, 0.35


class Region(Segmenter):
    """Grows the object from a point, or from the middle of a box.

    - ``walker``: the disc around the point is the object, the outside of the box, or else the
      picture's border, is not; nor are small discs around points that are not on it, while those
      around further points are. A random walk starts from every other pixel and avoids crossing
      differences in how much the color is more like the object's than like the background's (a
      Gaussian in CIE Lab for either). The pixel's probability is that of the walk to reach the
      object first.
    - ``growing``: the object is all that is connected to the point by pixels whose distance to the
      median color of the disc, in CIE Lab, is at most the tolerance, and not larger than that to
      the color around a point that is not on the object. From several points, it is all that is
      connected to one of them. Small holes are filled.

    The object never leaves the box. The same picture and prompt give the same mask, bit for bit.

    Source: Grady, "Random Walks for Image Segmentation", PAMI 2006, and Adams and Bischof, "Seeded
    Region Growing", PAMI 1994, as scikit-image has them.
    """

    def __init__(self, params: RegionParams) -> None:
        self._params = params

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``.

        Raises:
            InputError: there is neither point nor box, the box is not in the picture, a point is
                not in the box, or nothing is left as the object or background.
        """
        pixels = to_pixels(image)
        check(prompt, pixels.shape[0], pixels.shape[1], who="region")
        scene, place = Scene.of(pixels, prompt)
        if self._params.method == "growing":
            grown = self._grow(scene.at_most(GROWN))
            found = soften(enlarge(grown.astype(np.float32), scene.size) >= 0.5)
        else:
            found = enlarge(self._walk(scene.at_most(WALKED)), scene.size)
            found[~scene.inside] = 0
        return one_object(without(found, scene.not_points), place, image)

    def _grow(self, scene: Scene) -> Binary:
        lab = to_lab(scene.pixels)

        def away_from(point: Point) -> Plane:
            disc = scene.spot(point, self._params.radius or SPOT)
            # Unless it is a point outside of the box.
            color = np.median(lab[disc], axis=0) if disc.any() else lab[point[1], point[0]]
            return np.asarray(np.linalg.norm(lab - color, axis=2), np.float32)

        if not scene.pointed and scene.points[0] in scene.not_points:
            raise InputError(
                "the middle of the box is said not to be on the object, and a region grows from it",
                hint="tell a point of the object, too",
            )
        others = [away_from(point) for point in scene.not_points]
        grown = np.zeros(scene.size, dtype=bool)
        for x, y in scene.points:
            away = away_from((x, y))
            for other in others:
                away[other < away] = np.inf
            away[~scene.inside | scene.off] = np.inf
            away[y, x] = 0  # the point belongs to its region, whatever its color
            grown |= flood(away, (y, x), tolerance=self._params.tolerance)
        return fill_holes(grown, scene.off) & ~scene.off

    def _walk(self, scene: Scene) -> Plane:
        """The probability (h, w) to reach the object first."""
        inner, outer = self._seeds(scene)
        if not (inner.any() and outer.any()):
            raise InputError(
                "there is nothing around the object to tell it from",
                hint="draw a box around the object that leaves some background, or give a smaller "
                "`radius`",
            )
        labels = np.where(inner, 1, np.where(outer, 2, 0)).astype(np.int32)
        if labels.all():
            return inner.astype(np.float32)
        examples = outer if scene.boxed else scene.beyond(FAR)
        examples = examples if examples.any() else outer
        seen = contrast(to_lab(scene.pixels), inner, examples).astype(np.float64)
        if np.ptp(seen) == 0:
            seen[0, 0] += 1e-9  # scikit-image divides by the standard deviation
        # Solved directly: conjugate gradients take several times as long even for a rough result.
        probability = random_walker(
            seen / 6, labels, beta=self._params.beta, mode="bf", return_full_prob=True
        )[0]
        return np.asarray(probability, np.float32).clip(0, 1)

    def _seeds(self, scene: Scene) -> tuple[Binary, Binary]:
        """What is surely the object, and what is surely not."""
        if scene.boxed and not scene.pointed:
            inner = scene.ellipse(CORE)
        else:
            inner = scene.disc(self._params.radius or (WITHIN if scene.boxed else WITHOUT))
        outer = ~scene.inside
        if not outer.any():  # there is no box, or it is the whole picture
            outer[[0, -1], :] = outer[:, [0, -1]] = True
        inner &= ~scene.off
        return inner, (outer | scene.off) & ~inner
