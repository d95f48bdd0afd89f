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
    """What the user pointed at; nothing by default.

    Attributes:
        class_name: the first of `classes`; alone, it is all of them.
        point: the first of `points`; alone, it is all of them.
        box: a box around the object, (x0, y0, x1, y1).
        points: pixels of the object, (x, y).
        not_points: pixels that are not the object's.
        classes: of the object, such as ``cat``; several make it up together.
        text: the object in words.
    """

    class_name: str | None = None
    point: Point | None = None
    box: Box | None = None
    points: tuple[Point, ...] = ()
    not_points: tuple[Point, ...] = ()
    classes: tuple[str, ...] = ()
    text: str | None = None

    def __post_init__(self) -> None:
        for one, several in (("class_name", "classes"), ("point", "points")):
            first, given = getattr(self, one), tuple(getattr(self, several))
            if first is not None and not given:
                given = (first,)
            object.__setattr__(self, one, given[0] if given else None)
            object.__setattr__(self, several, given)


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
