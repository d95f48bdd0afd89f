"""What a merger implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from instyle_core.interfaces.pictures import Mask

if TYPE_CHECKING:
    from torch import Tensor


class Merger(ABC):
    """Sets the stylized object back into the photo. Made by calling the class with its parameters.

    Both methods see a crop of the photo around the object, at the photo's full resolution.
    """

    def paints(self, mask: Mask) -> Tensor:
        """Where the merger wants stylized pixels: float32 (1, H, W), 0 or 1.

        The object's own pixels by default, and with an alpha those of its soft edge; a merger that
        blends across the boundary asks for a band around them. Pixels outside of it are the photo's
        own in `merge`'s ``stylized``.
        """
        return mask.support

    @abstractmethod
    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        """Blend two pictures of one size, and leave them as they are.

        Args:
            content: float32 (3, H, W): the photo. If the mask has an alpha, then where the object's
                edge is soft, this is what is behind it: the photo's own pixels have the object's
                old color in them, which would show as a halo.
            stylized: float32 (3, H, W): the same, with the pixels of `paints` stylized.
            mask: the object's.

        Returns:
            float32 (3, H, W) in [0, 1]. A pixel that is to stay as it was should be copied, not
            computed, so that it stays exactly as it was. Outside of `paints`, no pixel may differ
            from the photo by more than 1/255, which leaves room for 8 bits.
        """
