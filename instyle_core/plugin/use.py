"""A plugin that a spec uses, with its checked parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from instyle_core.errors import InstyleError
from instyle_core.interfaces.kinds import KINDS
from instyle_core.interfaces.params import Params
from instyle_core.plugin.hookspecs import Plugin


@dataclass(frozen=True)
class Use:
    """A plugin that a spec uses, with its checked parameters.

    Attributes:
        plugin: its record.
        params: its parameters.
        weight: of a loss, its factor in the objective; 1 for everything else.
        distribution: the installed distribution that brought it, with its version.
        refine: of a segmenter, the refiner of its masks; None for none.
        name: what a spec has to call it; empty for the plugin's own name.
    """

    plugin: Plugin
    params: Params
    weight: float = 1.0
    distribution: str = ""
    refine: Use | None = None
    name: str = ""

    def create(self) -> Any:
        """Import the code behind the record and make the thing.

        Raises:
            InstyleError: it is not what its record says it is.
        """
        thing = self.plugin.load()(self.params)
        interface = KINDS[self.plugin.kind].interface
        if not isinstance(thing, interface):
            raise InstyleError(
                f"the {self.plugin.kind} '{self.plugin.name}' is broken: {self.plugin.factory} "
                f"made a {type(thing).__name__}, which is no instyle_core.{interface.__name__}",
                hint="tell its authors",
            )
        return thing

    def dump(self) -> dict[str, Any]:
        """As it would be written in a spec, every default spelled out."""
        added: dict[str, Any] = {}
        if self.plugin.kind == "loss":
            added = {"weight": self.weight}
        elif self.plugin.kind == "segmenter":
            added = {"refine": self.refine.dump() if self.refine else "none"}
        params = self.params.model_dump(mode="json", by_alias=True)
        return {"use": self.name or self.plugin.name, **added, **params}
