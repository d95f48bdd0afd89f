"""A plugin that a spec uses, with its checked parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, InstanceOf, TypeAdapter, ValidationError

from instyle_core.errors import InstyleError, PluginError
from instyle_core.interfaces.params import Params, ReaderParams, SegmenterParams
from instyle_core.plugin.border import called, guard
from instyle_core.plugin.discovery import UNVERSIONED
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.keeping import kept
from instyle_core.weights.record import Weights


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

    @property
    def who(self) -> str:
        """What errors call it, such as ``the loss 'sepia' of instyle-sepia 0.1.0``."""
        return who(self.plugin, self.distribution)

    @property
    def is_installed(self) -> bool:
        """Whether it has a version, as modules that `instyle_core.register` was given have not."""
        return not self.distribution.endswith(UNVERSIONED)

    def create(self) -> Any:
        """Import the code behind the record and make the thing.

        Returns:
            What the plugin made, behind its guard (`instyle_core.plugin.border`). Within
            `keep_networks`, an extractor or segmenter may be one that was made before.

        Raises:
            InstyleError: it cannot be imported.
            PluginError: it cannot be made, or is not what its record says it is.
        """
        return kept(self, self._create)

    def _create(self) -> Any:
        try:
            factory = self.plugin.load()
        except InstyleError as error:
            error.where = error.where or self.distribution
            raise
        with called(self.who, f"{self.plugin.factory}()"):
            thing = factory(self.params)
        return guard(self, thing)

    # What the parameters tell: methods of `instyle_core.Params` and its kin, checked.

    def reads(self) -> Mapping[str, Sequence[str]]:
        """The layers that it reads, by extractor."""
        return self._ask("reads") if isinstance(self.params, ReaderParams) else {}

    def layers(self) -> Mapping[str, int]:
        """The layers of an extractor, each with its stride."""
        return self._ask("layers")

    def reach(self, layer: str) -> int | None:
        """How many pixels around its stride a cell of a layer depends on; None for all of them."""
        return self._ask("reach", layer)

    def pretrained(self) -> Sequence[Weights]:
        """The weights that it will load."""
        return self._ask("pretrained")

    def refiner(self) -> str | None:
        """Of a segmenter, the refiner that is used where a spec does not say."""
        return self._ask("refiner") if hasattr(self.params, "refiner") else None

    def needs(self) -> Sequence[str]:
        """Of a segmenter, the keys of `select` of which an object has to have one; or nothing."""
        return self._ask("needs") if isinstance(self.params, SegmenterParams) else ()

    def finds(self) -> Sequence[str] | None:
        """Of a segmenter, the classes that it can find; None where that is not known yet."""
        return self._ask("finds") if isinstance(self.params, SegmenterParams) else None

    def dump(self) -> dict[str, Any]:
        """As it would be written in a spec, every default spelled out."""
        added: dict[str, Any] = {}
        if self.plugin.kind == "loss":
            added = {"weight": self.weight}
        elif self.plugin.kind == "segmenter":
            added = {"refine": self.refine.dump() if self.refine else "none"}
        with called(self.who, "model_dump() of its parameters"):
            params = self.params.model_dump(mode="json", by_alias=True)
        return {"use": self.name or self.plugin.name, **added, **params}

    def _ask(self, method: str, *arguments: Any) -> Any:
        with called(self.who, f"{method}() of its parameters"):
            answer = getattr(self.params, method)(*arguments)
        try:
            _adapter(method).validate_python(answer)
        except ValidationError:
            what = f"{method}() of its parameters is {answer!r}; it should be {_ANSWERS[method][1]}"
            raise PluginError(self.who, what) from None
        return answer


def who(plugin: Plugin, distribution: str) -> str:
    """What errors call a plugin; see `Use.who`."""
    return f"the {plugin.kind} '{plugin.name}' of {distribution}"


_Pixels = Annotated[int, Field(strict=True, ge=0)]

#: What the methods of parameters have to answer: the type for pydantic, and in words.
_ANSWERS: Mapping[str, tuple[Any, str]] = {
    "reads": (Mapping[str, Sequence[str]], "a mapping of extractors to lists of layers"),
    "layers": (
        Mapping[str, Annotated[_Pixels, Field(gt=0)]],
        "a mapping of layers to strides in pixels",
    ),
    "reach": (_Pixels | None, "a whole number of pixels, or None"),
    "pretrained": (Sequence[InstanceOf[Weights]], "a list of instyle_core.Weights"),
    "refiner": (str | None, "the name of a refiner, or None"),
    "needs": (
        Sequence[Literal["class", "point", "box", "text"]],
        "a list of 'class', 'point', 'box' and 'text'",
    ),
    "finds": (Sequence[str] | None, "a list of names, or None"),
}


@cache
def _adapter(method: str) -> TypeAdapter[Any]:
    return TypeAdapter(_ANSWERS[method][0])
