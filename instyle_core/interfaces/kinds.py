"""The kinds of plugins: the one table from which everything that lists them is made.

It imports neither pydantic nor torch, for the command line reads it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instyle_core.interfaces.params import Params


@dataclass(frozen=True)
class Kind:
    """One kind of plugin.

    Attributes:
        name: as records and specs have it; also the module of `instyle_core.interfaces`.
        interface_name: the class there.
        params_name: the class of `instyle_core.interfaces.params` that its parameters derive from.
        keys: what an entry of a spec can set beside the plugin's own parameters.
    """

    name: str
    interface_name: str
    params_name: str = "Params"
    keys: tuple[str, ...] = ()

    @property
    def interface(self) -> type[Any]:
        """What the factory of such a plugin must make."""
        module = import_module(f"instyle_core.interfaces.{self.name}")
        return getattr(module, self.interface_name)

    @property
    def params(self) -> type[Params]:
        """What the parameters of such a plugin must derive from."""
        return getattr(import_module("instyle_core.interfaces.params"), self.params_name)


#: All kinds by name, in the order in which they are listed.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("segmenter", "Segmenter", keys=("refine",)),
        Kind("refiner", "Refiner"),
        Kind("extractor", "FeatureExtractor", "ExtractorParams"),
        Kind("loss", "Loss", "LossParams", keys=("weight",)),
        Kind("ranker", "Ranker", "RankerParams"),
        Kind("merger", "Merger"),
    )
}


#: The keys of a spec's entries that are not the plugin's own, so that no parameter has such a name.
RESERVED = {"use"}.union(*(kind.keys for kind in KINDS.values()))
