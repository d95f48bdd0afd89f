"""Tiles of a picture that is too large to be computed at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType
from typing import TypeAlias

from instyle_core.interfaces.pictures import Size

Range = tuple[int, int]


#: Where something is in a tensor (1, C, H, W).
Index: TypeAlias = "tuple[EllipsisType, slice, slice]"


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels.

    Attributes:
        length: of the picture.
        own: the pixels that are the tile's alone.
        seen: those and the ones around them that it depends on.
    """

    length: int
    own: Range
    seen: Range

    def cells(self, stride: int) -> Range:
        """Its own among the ``length // stride`` cells of a feature map of the picture."""
        first, last = self.own
        return first // stride, self.length // stride if last == self.length else last // stride


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture."""

    rows: Span
    columns: Span

    @property
    def seen(self) -> Index:
        """Where what it depends on is in the picture (1, C, H, W)."""
        return (..., slice(*self.rows.seen), slice(*self.columns.seen))

    def size(self, stride: int) -> Size:
        """How many cells of its own it has in a feature map."""
        (top, bottom), (left, right) = self.rows.cells(stride), self.columns.cells(stride)
        return bottom - top, right - left

    def part(self, stride: int) -> Index:
        """Where its own cells are in a feature map of the whole picture."""
        return (..., slice(*self.rows.cells(stride)), slice(*self.columns.cells(stride)))

    def inner(self, stride: int) -> Index:
        """Where its own cells are in a feature map of the pixels that it depends on."""
        return (..., _inner(self.rows, stride), _inner(self.columns, stride))


def tiles_of(size: Size, side: int, reach: int, strides: Iterable[int]) -> list[Tile]:
    """Cut a picture into tiles of about the same size, the cells of which are those of the whole.

    Args:
        size: of the picture.
        side: at most so many pixels of its own, up to the next multiple of all strides.
        reach: how many pixels around them a tile's own cells depend on.
        strides: of the feature maps.
    """
    step = math.lcm(*strides)
    margin = math.ceil(reach / step) * step
    rows, columns = (_spans(length, side, margin, step) for length in size)
    return [Tile(row, column) for row in rows for column in columns]


def stride_of(size: Sequence[int], whole: Size, strides: Iterable[int]) -> int:
    """Which of the strides makes a feature map of so many cells of a picture."""
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
