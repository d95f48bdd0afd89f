"""What a picture, a mask, a size, a point and a box are, everywhere in instyle.

A picture is a float32 tensor (3, H, W): RGB, sRGB, in [0, 1]. A mask is a float32 tensor (1, H, W)
in [0, 1]. A leading N makes a batch. Sizes are (height, width), points (x, y) and boxes
(x0, y0, x1, y1), all in whole pixels; x1 and y1 are exclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Less alpha than this does not show: one level of 255.
TRACE_OF_ALPHA = 1 / 255

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
        alpha: float32 (1, H, W), in [0, 1]: how much of each pixel's color is the object's, where
            this is known, as after matting; a probability only says how sure a segmenter is.
    """

    probability: Tensor
    decision: Tensor
    alpha: Tensor | None = None

    @property
    def support(self) -> Tensor:
        """The pixels that have any of the object's color: float32 (1, H, W), 0 or 1.

        Without an alpha, these are the decision.
        """
        if self.alpha is None:
            return self.decision
        return ((self.alpha > TRACE_OF_ALPHA) | (self.decision > 0)).to(self.decision)

    def each(self, change: Callable[[Tensor], Tensor]) -> Mask:
        """The mask with the same change made to each of its tensors, such as a crop."""
        alpha = None if self.alpha is None else change(self.alpha)
        return Mask(change(self.probability), change(self.decision), alpha)
