"""The plugins that a spec uses: found in the registry, and their parameters checked.

Nothing heavy is imported until one is created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from instyle_core.errors import InputError
from instyle_core.interfaces.messages import problem, shown, unknown_keys
from instyle_core.interfaces.params import Params
from instyle_core.plugin.border import called
from instyle_core.plugin.hookspecs import Kind
from instyle_core.plugin.use import Use, who

if TYPE_CHECKING:
    from instyle_core.plugin.registry import Registry


def resolve(kind: Kind, value: Any, context: Mapping[str, Any]) -> Use:
    """Look up ``{use: name, ...}`` and check its parameters; a bare name will do.

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
        plugin = registry.find(kind, value["use"])
    except InputError as error:
        message = f"{error.what}; {error.hint}" if error.hint else error.what
        raise _errors(kind, [problem(message, ("use",))]) from error

    # To a plugin's own parameters, the spec adds the factor of a loss in the objective, and what
    # refines the masks of a segmenter.
    added = ADDED.get(kind, [])
    known = plugin.params.spec_keys()
    given = {key: item for key, item in value.items() if key != "use"}
    problems = unknown_keys(given, [*added, *known])
    extra = {key: given.pop(key) for key in added if key in given}
    weighted = {"weight": extra["weight"]} if "weight" in extra else {}
    factor = _checked(_Weighted, weighted, context, problems)
    own = {key: item for key, item in given.items() if key in known}
    origin = registry.origin(plugin)
    with called(who(plugin, origin), "a validator of its parameters"):
        params = _checked(plugin.params, own, context, problems)
    weight = 1.0 if factor is None else factor.weight
    use = None if params is None else Use(plugin, params, weight, origin)
    problems += _unreadable_layers(use, context) if use else []
    if kind == "segmenter":
        default = use.refiner() if use else None
        refine = _refiner(extra.get("refine", default), context, problems)
        use = replace(use, refine=refine) if use else None
    if problems or use is None:
        raise _errors(kind, problems)
    return use


#: What a spec can set of a plugin besides its own parameters.
ADDED: Mapping[str, list[str]] = {"loss": ["weight"], "segmenter": ["refine"]}


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
    weight: float = Field(1.0, ge=0)


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


def _use(kind: Kind) -> Any:
    """The type of an entry ``{use: NAME, ...}`` of one kind."""
    return Annotated[
        Any,
        PlainValidator(lambda value, info: resolve(kind, value, info.context)),
        PlainSerializer(Use.dump),
        # A mark, which instyle_core.schema turns into the choice of installed plugins.
        WithJsonSchema({"plugin": kind}),
    ]


if TYPE_CHECKING:
    SegmenterUse: TypeAlias = Use
    ExtractorUse: TypeAlias = Use
    LossUse: TypeAlias = Use
    RankerUse: TypeAlias = Use
    MergerUse: TypeAlias = Use
else:
    SegmenterUse, ExtractorUse = _use("segmenter"), _use("extractor")
    LossUse, RankerUse, MergerUse = _use("loss"), _use("ranker"), _use("merger")
