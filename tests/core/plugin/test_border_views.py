"""What a loss sees through the border is what the core shows, and what it may not do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from instyle_core.errors import PluginError
from instyle_core.interfaces.loss import Loss, Targets, View
from instyle_core.interfaces.params import LossParams
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.plugin.border import guard
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import disc, picture, view


class Reads(LossParams):
    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"pixels": ["cells"]}


class Looks(Loss):
    """Keeps what a function makes of its view."""

    def __init__(self, look: Callable[[View], Any]) -> None:
        self.look = look

    def prepare(self, targets: Targets) -> None:
        pass

    def __call__(self, view: View) -> Tensor:
        self.seen = self.look(view)
        return view.image.square().mean()


def seen(look: Callable[[View], Any]) -> tuple[Any, Any]:
    """What a loss sees through the border, and without it."""
    shown = view(picture(32, 24), disc(32, 24).decision, Reads())
    loss, before = Looks(look), random_state()
    guarded = guard(Use(Plugin("loss", "looks", Reads, "a:b", ""), Reads(), "tests"), loss)
    guarded(shown)
    restore_random_state(before)
    return loss.seen, look(view(picture(32, 24), disc(32, 24).decision, Reads()))


CELLS = torch.tensor([[0, 0], [7, 3], [11, 11]])


@pytest.mark.parametrize(
    "look",
    [
        lambda view: view.at(CELLS, "pixels", "cells"),
        lambda view: view.at(CELLS),
        lambda view: view.inside("pixels", "cells"),
        lambda view: view.random(3, 4),
    ],
    ids=["cells", "colors", "inside", "random"],
)
def test_the_border_changes_nothing(look: Callable[[View], Tensor]) -> None:
    found, expected = seen(look)
    assert torch.equal(found, expected)
    assert expected.any()


@pytest.mark.parametrize(
    "look",
    [
        lambda view: view.at(CELLS, "pixels", "others"),
        lambda view: view.inside("pixels", "others"),
    ],
    ids=["cells", "inside"],
)
def test_only_layers_that_it_says_it_reads(look: Callable[[View], Tensor]) -> None:
    with pytest.raises(PluginError, match="others"):
        seen(look)


@pytest.mark.parametrize(
    "look",
    [
        lambda view: view.random(3).mul_(2),
        lambda view: view.inside("pixels", "cells").mul_(2),
    ],
    ids=["random", "inside"],
)
def test_what_other_tiles_get_too_must_be_left_as_it_was(look: Callable[[View], Tensor]) -> None:
    with pytest.raises(PluginError, match="changed; it should be left as it was"):
        seen(look)
