"""How far an object covers the cells of a feature map."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


class Coverage:
    """The weights that a mask gives to the cells, applied in few passes over the maps.

    Most cells are covered fully or not at all. On a CPU, their indices are found once, so that
    full cells are not multiplied by 1, and empty ones are skipped. A GPU would have to wait for the
    indices, and gains nothing by them.

    Args:
        mask: (1, 1, h, w), in [0, 1].
    """

    def __init__(self, mask: Tensor) -> None:
        self.cells = mask.sum()
        self._weights = mask.reshape(-1, 1)
        self._split = _gains_by_indices(mask)
        if self._split:
            flat = self._weights[:, 0]
            self._full, self._empty = _indices(flat >= 1), _indices(flat <= 0)
            self._partial = _indices((flat > 0) & (flat < 1))
            self._weights = self._weights[self._partial]

    def covered(self) -> Iterator[tuple[Tensor | None, Tensor | None]]:
        """The covered cells: their indices, None for all; and their weights (n, 1), None for 1."""
        if self._split:
            yield self._full, None
            yield self._partial, self._weights
        else:
            yield None, self._weights

    def weigh_(self, rows: Tensor) -> None:
        """Multiply the cells (h w, C) by their weights."""
        weights = self._weights.to(rows.dtype)
        if self._split:
            rows.index_fill_(0, self._empty, 0)
            if len(weights):
                rows[self._partial] *= weights
        else:
            rows *= weights


def _gains_by_indices(mask: Tensor) -> bool:
    return mask.device.type == "cpu"


def _indices(where: Tensor) -> Tensor:
    return where.nonzero()[:, 0]
