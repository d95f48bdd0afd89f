"""Pictures of an object with a soft edge before a photo, whose alpha is known.

Strands of hair, fur, an edge that is out of focus, and one that moves; photos are scikit-image's.
An object has one color, shaded as a photo is. Everything is drawn from a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Array = NDArray[np.float32]

#: Shapes are drawn so many times larger, and averaged.
_FINER = 4

#: The stride of a segmenter's map, in pixels.
_STRIDE = 8

#: Standard deviation of the noise of a photo.
_NOISE = 0.008

_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


@dataclass(frozen=True)
class Composite:
    """A picture that is mixed of two, with what a segmenter would say of it.

    Attributes:
        photo: (H, W, 3), the mixture in 8 bits, in [0, 1].
        alpha: (H, W), the object's true opacity.
        foreground: (H, W, 3), the object's color everywhere.
        other: (H, W, 3), another background.
        probability: (H, W), of a segmenter with a stride of 8 pixels, which loses single strands.
    """

    photo: Array
    alpha: Array
    foreground: Array
    other: Array
    probability: Array


def composite(kind: str, seed: int, side: int = 300) -> Composite:
    """One of `KINDS`, drawn from a seed."""
    random = np.random.default_rng(seed)
    names = random.permutation(_PHOTOS)
    background, texture, other = (_cut(name, side, random) for name in names[:3])
    texture = cv2.GaussianBlur(texture, (0, 0), 1)
    color = random.uniform(0.1, 0.9, 3)
    foreground = (color + 0.35 * (texture - texture.mean((0, 1)))).clip(0, 1).astype(np.float32)
    alpha = KINDS[kind](side, random)
    share = alpha[..., None]
    photo = share * foreground + (1 - share) * background
    photo = (photo + random.normal(0, _NOISE, photo.shape)).clip(0, 1)
    photo = (np.round(photo * 255) / 255).astype(np.float32)
    return Composite(photo, alpha, foreground, other, segmented(alpha))


def segmented(alpha: Array) -> Array:
    """What a segmenter with a coarse map would make of an object."""
    size = tuple(side // _STRIDE for side in alpha.shape[::-1])
    cells = cv2.GaussianBlur(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), (0, 0), 0.7)
    sure = 1 / (1 + np.exp(-10 * (cells - 0.5)))
    return cv2.resize(sure, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _cut(name: str, side: int, random: np.random.Generator) -> Array:
    photo = getattr(data, name)().astype(np.float32) / 255
    larger = max(1.0, side / min(photo.shape[:2]))
    photo = cv2.resize(photo, None, fx=larger, fy=larger)
    y, x = (random.integers(length - side + 1) for length in photo.shape[:2])
    return photo[y : y + side, x : x + side]


def _body(side: int, random: np.random.Generator) -> tuple[Array, NDArray[np.float64]]:
    """A roundish shape, drawn larger, and its outline in pixels."""
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 0.24 * side * np.ones_like(turn)
    for waves in (2, 3, 4):
        phase = random.uniform(0, 2 * np.pi)
        wave = np.cos(waves * turn + phase)
        radius += 0.24 * side * random.uniform(-0.12, 0.12) / waves * wave
    outline = side / 2 + radius[:, None] * np.stack([1.1 * np.cos(turn), np.sin(turn)], axis=1)
    drawn = np.zeros((side * _FINER,) * 2, np.float32)
    cv2.fillPoly(drawn, [np.round(outline * _FINER).astype(np.int32)], 1.0)
    return drawn, outline


def _smaller(drawn: Array) -> Array:
    return cv2.resize(drawn, None, fx=1 / _FINER, fy=1 / _FINER, interpolation=cv2.INTER_AREA)


def _hairy(
    side: int,
    random: np.random.Generator,
    count: int,
    length: tuple[float, float],
    width: tuple[float, float],
    bend: float,
) -> Array:
    """A body with so many hairs; lengths in sides of the picture, widths in pixels."""
    drawn, outline = _body(side, random)
    middle = outline.mean(axis=0)
    for _ in range(count):
        root = outline[random.integers(len(outline))]
        out = root - middle
        angle = np.arctan2(out[1], out[0]) + random.normal(0, 0.4)
        far = random.uniform(*length) * side
        turns = angle + random.normal(0, bend) * np.linspace(0, 1, 24)
        steps = far / 24 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        points = root - 0.05 * out + np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
        points = np.round(points * _FINER).astype(int)
        thickest = random.uniform(*width) * _FINER
        for place in range(24):
            ends = tuple(map(int, points[place])), tuple(map(int, points[place + 1]))
            cv2.line(drawn, *ends, 1.0, max(1, round(thickest * (1 - place / 24))))
    return _smaller(drawn)


def strands(side: int, random: np.random.Generator) -> Array:
    """Long single hairs that cross."""
    return _hairy(side, random, 160, (0.1, 0.22), (0.5, 1.8), 1.5)


def fur(side: int, random: np.random.Generator) -> Array:
    """Short dense hairs."""
    return _hairy(side, random, 1500, (0.02, 0.07), (0.5, 1.5), 0.8)


def defocus(side: int, random: np.random.Generator) -> Array:
    """An edge out of focus: averaged over a disc with a radius of 4 to 10 pixels."""
    radius = random.uniform(4, 10)
    y, x = np.mgrid[-10:11, -10:11]
    disc = (x**2 + y**2 <= radius**2).astype(np.float32)
    return cv2.filter2D(_smaller(_body(side, random)[0]), -1, disc / disc.sum()).clip(0, 1)


def motion(side: int, random: np.random.Generator) -> Array:
    """An object that moves by 10 to 24 pixels along a line."""
    length, angle = random.uniform(10, 24), random.uniform(0, np.pi)
    step = np.round(length / 2 * np.array([np.cos(angle), np.sin(angle)])).astype(int)
    line = np.zeros((25, 25), np.float32)
    cv2.line(line, tuple(map(int, 12 - step)), tuple(map(int, 12 + step)), 1.0, 1)
    return cv2.filter2D(_smaller(_body(side, random)[0]), -1, line / line.sum()).clip(0, 1)


KINDS: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "strands": strands,
    "fur": fur,
    "defocus": defocus,
    "motion": motion,
}
