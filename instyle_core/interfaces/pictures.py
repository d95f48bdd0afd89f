"""What a picture, a mask, a size, a point and a box are, everywhere in instyle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


Size = tuple[int, int]


Point = tuple[int, int]


Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mask:
    """One object's mask.

    Attributes:
        probability: float32 (1, H, W), in [0, 1].
        decision: float32 (1, H, W), 0 or 1: which pixels are the object's.
    """

    probability: Tensor
    decision: Tensor
