"""What a loss is, and what it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from torch import Generator, Tensor

#: Tensors that are added up over the tiles of a picture.
Sums: TypeAlias = "tuple[Tensor, ...]"

#: The share of a layer's reach that a mask is drawn in by. With it, the Gram matrix of an object of
#: 160 pixels or more at relu4_1 of VGG-19 changes by a hundredth with what is around the object.
SHARE_OF_REACH = 0.65


class View(Protocol):
    """One picture, or a tile of one, as a loss or a ranker sees it; the core makes these."""

    @property
    def image(self) -> Tensor:
        """The picture, (1, 3, H, W), RGB, in [0, 1]."""
        ...

    @property
    def generator(self) -> Generator:
        """Where random numbers come from: its state is saved with a run, and restored by a resume.

        Seeded by the spec's `seed`. Draw on its own device:
        ``torch.rand(n, generator=view.generator, device=view.generator.device)``.
        """
        ...

    def mask(self, size: Sequence[int] | None = None) -> Tensor:
        """How far each cell is covered by the object, (1, 1, h, w), in [0, 1].

        Args:
            size: of a feature map; the picture's own size when None. Cells are averaged over the
                area of the picture that they stand for.
        """
        ...

    def inside(self, extractor: str, layer: str, *, share: float = SHARE_OF_REACH) -> Tensor:
        """How far the cells of a layer are covered by the inside of the object, (1, 1, h, w).

        Deep layers see far. For statistics over an object, its mask is drawn in by a part of the
        reach that the extractor tells of the layer; but 15% of the object's pixels are always left.

        Source: Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer",
        section 3, "inside" guidance.

        Args:
            extractor: as for `features`.
            layer: as for `features`.
            share: of the reach; 0 for the mask as it is.
        """
        ...

    def features(self, extractor: str, layer: str, *, raw: bool = False) -> Tensor:
        """A feature map (1, C, h, w) out of those that the reader's parameters name.

        Args:
            extractor: its name in the spec.
            layer: its name.
            raw: in the precision that the network was run in, instead of float32: for those that
                take care of it themselves.
        """
        ...

    def at(self, cells: Tensor, extractor: str | None = None, layer: str = "") -> Tensor:
        """The feature vectors of some cells, (n, C); or the colors of some pixels, (n, 3).

        Of a tile, the vectors of cells outside of it are zeros: added up over all tiles, they are
        those of the whole picture.

        Args:
            cells: row and column of each in the map of the whole picture, (n, 2), whole numbers.
            extractor: as for `features`; None for the colors of the picture itself.
            layer: as for `features`.
        """
        ...

    def random(self, *size: int) -> Tensor:
        """Uniform random numbers in [0, 1), drawn anew at each step.

        All tiles of a picture get the same ones in the same order. They come from `generator`.
        """
        ...

    def part(self, whole: Tensor) -> Tensor:
        """What this view sees of a map of the whole picture: (1, C, h, w), a tile's cells.

        Args:
            whole: one of the maps (1, C, H / stride, W / stride) that a view of the whole gave.
        """
        ...

    def summed(
        self, sums: Callable[[View], Sums], reads: Mapping[str, Sequence[str]], what: str
    ) -> Sums:
        """Sums over all of the picture, tile by tile where it is large, without a gradient.

        Those of style pictures are kept between objects and runs.

        Args:
            sums: gives those of a tile, as `SummedLoss.sums` does.
            reads: the layers that they are computed from, by extractor.
            what: tells what is summed: the same text for nothing else from the same layers.
        """
        ...


@dataclass(frozen=True)
class Targets:
    """What the optimized picture is compared with; constant within a scale.

    Attributes:
        content: the photo, with the object's mask.
        styles: the style pictures, with masks of ones.
        style_weights: one for each style picture; they sum to 1.
    """

    content: View
    styles: tuple[View, ...]
    style_weights: tuple[float, ...]


class Loss(ABC):
    """A term of the objective. Made by calling the class with its parameters.

    A loss never runs a network: it reads feature maps that the core computes once for all losses.
    It is at least 0, is measured over the object alone by weighting with the mask, and is made
    independent of the picture's size, so that a weight of 1 means the same strength everywhere.

    Its value depends on the picture and on what was prepared, not on earlier calls: a run that is
    resumed makes and prepares the loss anew. A loss that draws random numbers takes them from
    `View.generator`, so that a resumed run draws what an unbroken one would have drawn.
    """

    @abstractmethod
    def prepare(self, targets: Targets) -> None:
        """Compute and keep what is constant; called once per scale, without gradients."""

    @abstractmethod
    def __call__(self, view: View) -> Tensor:
        """The value for the optimized picture: a scalar tensor with a gradient to its pixels."""


class SummedLoss(Loss):
    """A loss that is a function of sums over the cells of feature maps.

    Of a picture that is too large for its feature maps to fit into memory, the sums are added up
    tile by tile; value and gradient are the same. Any other loss gets whole maps in any case.
    """

    @abstractmethod
    def sums(self, view: View) -> Sums:
        """Sums over the cells of a view, as often as the mask counts them.

        Those of a picture are those of its tiles, added up.
        """

    @abstractmethod
    def value(self, sums: Sums) -> Tensor:
        """The loss, a scalar tensor, out of the sums of the whole picture."""

    def __call__(self, view: View) -> Tensor:
        return self.value(self.sums(view))
