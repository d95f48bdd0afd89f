"""The plugins that a spec uses: found in the registry, and their parameters checked.

Nothing heavy is imported until one is created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from instyle_core.errors import InputError
from instyle_core.interfaces.kinds import KINDS
from instyle_core.interfaces.messages import problem, shown, unknown_keys
from instyle_core.interfaces.params import Params
from instyle_core.plugin.border import called
from instyle_core.plugin.use import Use, who

if TYPE_CHECKING:
    from instyle_core.plugin.registry import Registry


@dataclass(frozen=True)
class OfKind:
    """Marks a field that holds ``{use: NAME, ...}``, as in ``Annotated[Use, OfKind("loss")]``."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: resolve(self.kind, value, info.context),
            serialization=core_schema.plain_serializer_function_ser_schema(Use.dump),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        # A mark, which instyle_core.config.schema turns into the choice of installed plugins.
        return {"plugin": self.kind}


def resolve(kind: str, value: Any, context: Mapping[str, Any]) -> Use:
    """Look up ``{use: name, ...}`` and check its parameters; a bare name will do.

    Args:
        kind: of the plugin.
        value: as it stands in the spec.
        context: has the ``registry``; the ``folder`` that paths are relative to; the spec's
            ``extractors``, as they are written; and perhaps lists, to which ``inputs`` (files that
            are read) and ``notes`` (what the user should be told) are added.

    Raises:
        ValidationError: with everything that is wrong with it.
    """
    if isinstance(value, Use):
        return value
    value = {"use": value} if isinstance(value, str) else value
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        message = f"should name the {kind}, such as {{use: NAME}}; it is {shown(value)}"
        if isinstance(value, dict):
            message = f"missing key 'use', the name of the {kind}"
        raise _errors(kind, [problem(message, ())])
    registry: Registry = context["registry"]
    try:
        entry = registry.look_up(kind, value["use"])
    except InputError as error:
        message = f"{error.what}; {error.hint}" if error.hint else error.what
        raise _errors(kind, [problem(message, ("use",))]) from error

    # An entry has the plugin's own parameters and what the spec adds to those of its kind: the
    # factor of a loss in the objective, and what refines the masks of a segmenter.
    plugin, added = entry.plugin, KINDS[kind].keys
    with called(who(plugin, entry.distribution), "spec_keys() of its parameters"):
        own = plugin.params.spec_keys()
    given = {key: item for key, item in value.items() if key != "use"}
    problems = unknown_keys(given, {**{key: key for key in added}, **own})
    notes: list[str] = []
    within = {**context, "notes": notes}
    mine = {key: item for key, item in given.items() if key in own}
    with called(who(plugin, entry.distribution), "a validator of its parameters"):
        params = _checked(plugin.params, mine, within, problems)
    weighted = {k: v for k, v in given.items() if k == "weight" and k in added}
    factor = _checked(_Weighted, weighted, context, problems)
    weight = 1.0 if factor is None else factor.weight
    name = registry.name_of(entry)
    use = None if params is None else Use(plugin, params, weight, entry.distribution, name=name)
    problems += _unreadable_layers(use, context) if use else []
    if "refine" in added:
        default = use.refiner() if use else None
        refine = _refiner(given.get("refine", default), context, problems)
        use = replace(use, refine=refine) if use else None
    if problems or use is None:
        raise _errors(kind, problems)
    context.get("notes", []).extend(f"{kind} '{name}': {note}" for note in notes)
    return use


def _refiner(
    value: Any, context: Mapping[str, Any], problems: list[InitErrorDetails]
) -> Use | None:
    """The refiner that an entry names, or None and what is wrong with it in `problems`."""
    if value in (None, "none"):
        return None
    try:
        return resolve("refiner", value, context)
    except ValidationError as error:
        problems += [problem(e["msg"], ("refine", *e["loc"]), e["input"]) for e in error.errors()]
        return None


class _Weighted(Params):
    weight: float = Field(1.0, ge=0, le=1e12)


P = TypeVar("P", bound=Params)


def _checked(
    model: type[P], given: Any, context: Mapping[str, Any], problems: list[InitErrorDetails]
) -> P | None:
    """The parameters, or None and what is wrong with them in `problems`."""
    try:
        return model.model_validate(given, context=dict(context))
    except ValidationError as error:
        problems += [problem(e["msg"], e["loc"], e["input"]) for e in error.errors()]
        return None


def _errors(title: str, problems: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(title, problems)


def _unreadable_layers(use: Use, context: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Layers that a loss or a ranker reads and its extractor does not have."""
    problems = []
    for name, layers in use.reads().items():
        written = context["extractors"].get(name, name)
        try:
            there = resolve("extractor", written, context).layers()
        except ValidationError as error:
            if name not in context["extractors"]:  # otherwise it is reported where it is written
                problems.append(problem(error.errors()[0]["msg"], ("extractor",), name))
            continue
        for index, layer in enumerate(layers):
            if layer not in there:
                message = f"the extractor '{name}' has no layer '{layer}'; {_range(list(there))}"
                problems.append(problem(message, ("layers", index), layer))
    return problems


def _range(names: list[str]) -> str:
    if len(names) <= 8:
        return f"it has {', '.join(names)}"
    return f"it has {', '.join(names[:4])}, ... {', '.join(names[-2:])}"
