"""The JSON Schema of specs, with the parameters of every installed plugin."""

from __future__ import annotations

from typing import Any

from instyle_core.registry import KINDS, Registry
from instyle_core.spec import Spec

#: Spec keys that may be left out because the default preset supplies them.
FROM_PRESET = ("segmenter", "losses", "merger")


def spec_schema(registry: Registry) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) for editors and for the docs."""
    schema = Spec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "instyle pipeline spec"
    schema["required"] = [key for key in schema["required"] if key not in FROM_PRESET]
    definitions = schema.setdefault("$defs", {})
    # A style may be given as just its picture.
    definitions["Style"] = {"anyOf": [{"type": "string"}, definitions["Style"]]}
    for kind in KINDS:
        choices: list[dict[str, Any]] = []
        for entry in registry.entries(kind):
            plugin = entry.plugin
            choice = plugin.params.model_json_schema(ref_template="#/$defs/{model}")
            definitions |= choice.pop("$defs", {})
            use = {"const": plugin.name, "description": plugin.summary}
            weight = {"type": "number", "minimum": 0, "default": 1, "description": "Its factor."}
            choice["properties"] = {
                "use": use,
                **({"weight": weight} if kind == "loss" else {}),
                **choice.get("properties", {}),
            }
            choice["required"] = ["use", *choice.get("required", [])]
            choice["title"] = plugin.name
            choices.append(choice)
        names = [entry.plugin.name for entry in registry.entries(kind)]
        definitions[kind] = {"anyOf": [{"enum": names}, *choices]}
    return schema
