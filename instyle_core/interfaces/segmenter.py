"""What a segmenter implements, and what it is told and tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instyle_core.interfaces.pictures import Box, Point

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prompt:
    """What the user pointed at; all None for nothing in particular.

    Attributes:
        class_name: the class of the object, such as ``cat``.
        point: a pixel of the object, (x, y).
        box: a box around the object, (x0, y0, x1, y1).
    """

    class_name: str | None = None
    point: Point | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Instance:
    """One object that a segmenter told apart.

    Attributes:
        class_name: one of the segmentation's classes.
        mask: float32 (1, H, W), the probability of each pixel to belong to it.
        score: the confidence, in [0, 1].
    """

    class_name: str
    mask: Tensor
    score: float


@dataclass(frozen=True)
class Segmentation:
    """What a segmenter saw.

    Attributes:
        classes: K names; the one called ``background`` is never an object.
        probabilities: float32 (K, H, W), of the picture's size, in [0, 1], summing to 1 over K at
            each pixel (within 1e-3).
        instances: one entry per object where the model tells objects apart, else None.
        notes: what the user may want to know and is no error, a sentence each.
    """

    classes: tuple[str, ...]
    probabilities: Tensor
    instances: tuple[Instance, ...] | None = None
    notes: tuple[str, ...] = ()


class Segmenter(ABC):
    """Finds objects in a picture. Made by calling the class with its parameters."""

    @abstractmethod
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment one picture, and leave it as it is.

        Args:
            image: float32 (3, H, W), RGB, in [0, 1].
            prompt: what the user pointed at. A segmenter that needs a part of it raises
                `InputError` where it is missing; one that has no use for it ignores it.

        Returns:
            A segmentation of the picture's size.
        """
