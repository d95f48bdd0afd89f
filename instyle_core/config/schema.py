"""The JSON Schema of specs, with the parameters of every installed plugin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from instyle_core.config.spec import FROM_PRESET, Spec
from instyle_core.errors import PluginError
from instyle_core.interfaces.kinds import KINDS
from instyle_core.interfaces.params import SegmenterParams
from instyle_core.plugin.border import called
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.registry import Registry

#: The title of the schema, by which a file of it is known.
TITLE = "instyle pipeline spec"


def spec_schema(registry: Registry) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) for editors and for the docs."""
    schema: dict[str, Any] = _with_references(Spec.model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = TITLE
    schema["required"] = [key for key in schema["required"] if key not in FROM_PRESET]
    definitions = schema.setdefault("$defs", {})
    # A style may be given as just its picture.
    definitions["Style"] = {"anyOf": [{"type": "string"}, definitions["Style"]]}
    for kind in KINDS:
        choices: list[dict[str, Any]] = []
        plain: list[str] = []
        for entry in registry.entries(kind, full=True):
            plugin = entry.plugin
            own = f"{kind}-{entry.full_name}-"  # two plugins may have models of one name
            choice = plugin.params.model_json_schema(ref_template=f"#/$defs/{own}{{model}}")
            definitions |= {own + name: model for name, model in choice.pop("$defs", {}).items()}
            names = list(dict.fromkeys([registry.name_of(entry), entry.full_name]))
            use = {"enum": names, "description": plugin.summary}
            own_properties = choice.get("properties", {})
            choice["properties"] = {"use": use, **_added(plugin), **own_properties}
            choice["required"] = ["use", *choice.get("required", [])]
            choice["title"] = names[0]
            choices.append(choice)
            # Its name will do for a plugin that needs nothing else.
            if choice["required"] == ["use"] and "anyOf" not in choice:
                plain += names
        definitions[kind] = {"anyOf": [{"enum": plain}, *choices]}
    return schema


def plugin_schema(plugin: Plugin) -> dict[str, Any]:
    """The schema of all that a spec can set for a plugin, but ``use``.

    ``{"$ref": "#/$defs/KIND"}`` in it stands for the choice of a plugin of that kind.
    """
    schema = _with_references(plugin.params.model_json_schema())
    schema["properties"] = {**_added(plugin), **schema.get("properties", {})}
    return schema


def _added(plugin: Plugin) -> dict[str, Any]:
    """What the spec adds to a plugin's own parameters: the `keys` of its kind."""
    refiner = None
    if issubclass(plugin.params, SegmenterParams):
        with suppress(PluginError), called(f"the segmenter '{plugin.name}'", "refiner()"):
            refiner = plugin.params.refiner()
    added = {
        "weight": {
            "type": "number",
            "minimum": 0,
            "maximum": 1e12,
            "default": 1,
            "description": "Its factor.",
        },
        "refine": {
            "anyOf": [{"const": "none"}, {"$ref": "#/$defs/refiner"}],
            "default": refiner if isinstance(refiner, str) else "none",
            "description": "What lets its masks follow the photo's edges.",
        },
    }
    return {key: added[key] for key in KINDS[plugin.kind].keys}


def _with_references(schema: Any) -> Any:
    """The marks that `OfKind` leaves for plugins, as references to their definitions."""
    if isinstance(schema, list):
        return [_with_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _with_references(value) for key, value in schema.items()}
    if isinstance(kind := plain.get("plugin"), str):
        del plain["plugin"]
        plain["$ref"] = f"#/$defs/{kind}"
    return plain


def rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The keys of an object's schema, for people: name, type with bounds, default, meaning."""
    needed = schema.get("required", [])
    return [
        (
            name,
            _type(field),
            "(needed)" if name in needed else _value(field.get("default")),
            field.get("description", ""),
        )
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: Mapping[str, Any]) -> str:
    """A schema in few words, such as ``number >= 0``."""
    if "plugin" in field:
        return str(field["plugin"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2].lower().removesuffix("spec")
    options = field.get("anyOf") or field.get("oneOf")
    if options:
        return " or ".join(_type(option) for option in options if option.get("type") != "null")
    if "enum" in field or "const" in field:
        return " or ".join(f"`{word}`" for word in field.get("enum", [field.get("const")]))
    if field.get("format") in ("path", "file-path"):
        return "file"
    if field.get("format") == "directory-path":
        return "folder"
    kind = str(field.get("type", "anything"))
    if kind == "array":
        fixed = field.get("prefixItems", [])
        of = _type(fixed[0] if fixed else field.get("items", {}))
        return f"{len(fixed)} of {of}" if fixed else f"list of {of}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'])}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]}" for key, sign in signs.items() if key in field]
    names = {
        "object": "mapping",
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
    }
    return " ".join([names.get(kind, kind), ", ".join(bounds)]).strip()


def _value(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
