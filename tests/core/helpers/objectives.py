"""Objectives whose values, gradients and minima are known, and an optimization of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.optimize import Outcome, Progress, optimize
from instyle_core.testing import picture

SIZE = (6, 5)

Term = Callable[[Tensor], Tensor]


class Toy:
    """A `Scale` whose terms are functions of the picture; its first row is background."""

    def __init__(self, terms: Mapping[str, Term], size: Size = SIZE) -> None:
        self.size = size
        self.background = picture(*size, seed=9)
        self.moves = torch.ones(1, *size)
        self.moves[:, 0] = 0
        self._terms = terms

    def enter(self, start: Tensor) -> Tensor:
        return F.interpolate(start[None], self.size)[0].clone()

    def compose(self, pixels: Tensor) -> Tensor:
        return torch.where(self.moves > 0, pixels, self.background)

    def terms(self, pixels: Tensor) -> dict[str, Tensor]:
        image = self.compose(pixels)
        return {name: term(image) for name, term in self._terms.items()}


def follow(values: Iterator[float]) -> Term:
    """A term that has the next of the values each time, and always a gradient of 1."""

    def term(image: Tensor) -> Tensor:
        total = image.sum()
        return total - total.detach() + next(values)

    return term


def failing(at: int, kind: str) -> Term:
    """A term that is 1 until its n-th evaluation."""
    calls = itertools.count(1)

    def term(image: Tensor) -> Tensor:
        nothing = 0 * image.sum()
        if next(calls) < at:
            return nothing + 1
        if kind == "interrupt":
            raise KeyboardInterrupt
        # The root of 0 is 0, with a gradient of infinity, times 0.
        return {"nan": nothing + math.nan, "inf": nothing + math.inf, "slope": nothing.sqrt()}[kind]

    return term


def steady(image: Tensor) -> Tensor:
    return image.mean() + 1


def ignore(progress: Progress) -> None:
    pass


def solve(
    terms: Mapping[str, Term],
    settings: Adam | LBFGS,
    on_step: Callable[[Progress], None] = ignore,
    sizes: Sequence[Size] = (SIZE,),
) -> Outcome:
    return optimize(lambda size: Toy(terms, size), sizes, picture(*SIZE), settings, on_step)


def adam(steps: int, learning_rate: float = 0.01, **more: Any) -> Adam:
    """Of each pixel by itself, at a constant rate, unless `more` says otherwise."""
    more = {"parametrization": "pixels", "decay": 0, **more}
    return Adam(steps=steps, learning_rate=learning_rate, **more)
