"""What a refiner of masks implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from instyle_core.interfaces.pictures import Mask

if TYPE_CHECKING:
    from torch import Tensor


class Refiner(ABC):
    """Lets a mask follow the photo's edges: segmenters are often coarse.

    Made by calling the class with its parameters.
    """

    @abstractmethod
    def refine(self, image: Tensor, mask: Mask) -> Mask:
        """Correct the mask of one object, and leave what is given as it is.

        Args:
            image: the photo, float32 (3, H, W), RGB, in [0, 1].
            mask: the object's, as the segmenter has it; its decision has at least one pixel.

        Returns:
            A mask of the same size, with at least one pixel in its decision; the mask as it was
            where nothing else can be found.
        """
