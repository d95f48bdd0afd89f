"""Plugins in use, and plans of one object, made without a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from instyle_core.config.plan import ObjectPlan
from instyle_core.config.select import Select
from instyle_core.config.spec import COLORS_OF_STYLE, Color, Style
from instyle_core.interfaces.params import Params
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use

#: A style without pictures, for tests that hand these over themselves.
STYLE = Style.model_construct(images=[], weights=None, scale=1.0)


def use(
    kind: Any, params: Params, factory: str = "none:None", *, name: str = "", weight: float = 1.0
) -> Use:
    """A plugin in use; `factory` is as in its record, and names it where `name` does not."""
    name = name or factory.rpartition(":")[2].lower()
    return Use(Plugin(kind, name, type(params), factory, "A test's."), params, weight)


def object_plan(
    losses: Sequence[Use] = (),
    *,
    segmenter: Use | None = None,
    select: Select | None = None,
    style: Style = STYLE,
    merger: Use | None = None,
    color: Color = COLORS_OF_STYLE,
) -> ObjectPlan:
    """The plan of one object; what is left out must not be needed."""
    return ObjectPlan(
        segmenter or use("segmenter", Params()),
        select or Select(),
        style,
        tuple(losses),
        merger or use("merger", Params()),
        color,
    )
