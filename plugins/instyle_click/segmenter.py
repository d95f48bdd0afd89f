"""The segmenter ``click``."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor

from instyle_click import checkpoint
from instyle_click.clicks import Clicks
from instyle_click.looks import first_look, second_look
from instyle_click.params import ClickParams
from instyle_click.weights import SHIPPED
from instyle_core import InputError, Prompt, Segmentation, Segmenter, fetch


class Click(Segmenter):
    """Finds the object that points, a box or both mean: ``background`` and ``object``.

    The same picture and prompt give the same mask, whatever was asked before.

    Raises:
        WeightsError: the file of weights cannot be used.
    """

    def __init__(self, params: ClickParams) -> None:
        self._size = params.size
        self._network = checkpoint.load(params.weights or fetch(SHIPPED))
        #: The picture of the last first look, its state, what it was told, and what it found.
        self._first: tuple[Callable[[], Tensor | None], int, Clicks, Tensor] | None = None

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture.

        Raises:
            InputError: the prompt has neither a point on the object nor a box.
        """
        if not prompt.points and prompt.box is None:
            raise InputError(
                "click needs to be told where the object is",
                hint="give a point on it, `select: {point: [x, y]}`, or a box",
            )
        clicks = Clicks(prompt.points, prompt.not_points, prompt.box)
        network = self._network.to(image.device)
        found = second_look(network, image, clicks, self._first_look(image, clicks), self._size)
        return Segmentation(("background", "object"), torch.stack([1 - found, found]))

    def _first_look(self, image: Tensor, clicks: Clicks) -> Tensor:
        """That of the last call, if it would be the same: a correction takes half the time then."""
        told = Clicks(clicks.on[:1], (), clicks.box)
        if self._first:
            seen, version, before, found = self._first
            if seen() is image and version == image._version and before == told:
                return found
        found = first_look(self._network, image, told, self._size)
        self._first = weakref.ref(image), image._version, told, found
        return found
