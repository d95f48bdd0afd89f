"""What a picture, a mask, a size, a point and a box are, everywhere in instyle.

A picture is a float32 tensor (3, H, W): RGB, sRGB, in [0, 1]. A mask is a float32 tensor (1, H, W)
in [0, 1]. A leading N makes a batch. Sizes are (height, width), points (x, y) and boxes
(x0, y0, x1, y1), all in whole pixels; x1 and y1 are exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: (height, width).
Size = tuple[int, int]

#: (x, y), from the top left.
Point = tuple[int, int]

#: (x0, y0, x1, y1): the pixels from x0 up to but without x1, and likewise for y.
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
