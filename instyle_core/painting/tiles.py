"""Tiles of a picture that is too large to be computed at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType
from typing import TypeAlias

from instyle_core.interfaces.pictures import Size

#: (first, last), with last exclusive.
Range = tuple[int, int]

#: The index of a rectangle in a tensor (1, C, H, W).
Index: TypeAlias = "tuple[EllipsisType, slice, slice]"


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels.

    Attributes:
        length: of the picture.
        own: the pixels of the tile; each pixel of the picture belongs to one tile.
        seen: those, and the pixels around them that their feature maps depend on.
    """

    length: int
    own: Range
    seen: Range

    def cells(self, stride: int) -> Range:
        """The tile's own cells, of ``length // stride`` in a feature map of the picture."""
        first, last = self.own
        return first // stride, self.length // stride if last == self.length else last // stride


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture."""

    rows: Span
    columns: Span

    @property
    def seen(self) -> Index:
        """The pixels that the tile depends on, as an index of the picture (1, C, H, W)."""
        return (..., slice(*self.rows.seen), slice(*self.columns.seen))

    def size(self, stride: int) -> Size:
        """(height, width) of the tile's own part of a feature map, in cells."""
        (top, bottom), (left, right) = self.rows.cells(stride), self.columns.cells(stride)
        return bottom - top, right - left

    def part(self, stride: int) -> Index:
        """The tile's own cells, as an index of a feature map of the whole picture."""
        return (..., slice(*self.rows.cells(stride)), slice(*self.columns.cells(stride)))

    def inner(self, stride: int) -> Index:
        """The tile's own cells, as an index of a feature map of the pixels `seen`."""
        return (..., _inner(self.rows, stride), _inner(self.columns, stride))


def tiles_of(size: Size, side: int, reach: int, strides: Iterable[int]) -> list[Tile]:
    """Divide a picture into tiles of about the same size.

    Tiles start at multiples of all strides, so that their cells are those of the whole picture.

    Args:
        size: of the picture.
        side: the most pixels on a side of a tile, rounded up to a multiple of all strides.
        reach: how many pixels around its own ones a cell depends on.
        strides: of the feature maps.
    """
    step = math.lcm(*strides)
    margin = math.ceil(reach / step) * step
    rows, columns = (_spans(length, side, margin, step) for length in size)
    return [Tile(row, column) for row in rows for column in columns]


def stride_of(size: Sequence[int], whole: Size, strides: Iterable[int]) -> int:
    """The stride of a feature map of some size.

    Args:
        size: of the map, in cells.
        whole: of the picture, in pixels.
        strides: to choose from.

    Raises:
        ValueError: none of them makes a map of this size.
    """
    for stride in strides:
        if (whole[0] // stride, whole[1] // stride) == tuple(size):
            return stride
    raise ValueError(f"no layer has {size[0]} x {size[1]} cells")


def _spans(length: int, side: int, margin: int, step: int) -> list[Span]:
    count = max(1, min(math.ceil(length / side), length // step))
    edges = [round(length * index / count / step) * step for index in range(count)] + [length]
    return [
        Span(length, (first, last), (max(0, first - margin), min(length, last + margin)))
        for first, last in pairwise(edges)
    ]


def _inner(span: Span, stride: int) -> slice:
    first, last = span.cells(stride)
    offset = span.seen[0] // stride
    return slice(first - offset, last - offset)
