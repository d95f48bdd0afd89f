"""What a ranker of style pictures implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from instyle_core.interfaces.loss import View


@dataclass(frozen=True)
class Rating:
    """How well a style picture suits an object.

    Attributes:
        score: a finite number; lower suits better.
        figures: what the score is made of, by names to be shown beside it.
    """

    score: float
    figures: Mapping[str, float] = field(default_factory=dict)


class Ranker(ABC):
    """Tells which style picture suits an object. Made by calling the class with its parameters.

    Like a loss, it never runs a network: it reads feature maps that the core computes once per
    picture. Its ratings depend on the two pictures alone, so that a run that is repeated chooses
    the same style.
    """

    @abstractmethod
    def rate(self, content: View, style: View) -> Rating:
        """Rate one style picture; called without gradients.

        Args:
            content: the photo around the object, with the object's mask, which alone counts.
            style: the style picture, with a mask of ones. Long sides of both are the same.

        Returns:
            The rating, to be compared with those of other pictures for the same object.
        """
