"""What the server tells of plugins and specs."""

from __future__ import annotations

import jsonschema

from instyle_core import Registry
from tests.plugins.instyle_studio.serving import Server


def test_every_plugin_that_is_installed_has_a_schema(server: Server) -> None:
    found = server.get("/api/plugins").json()
    listed = {(kind, p["name"]) for kind, plugins in found.items() for p in plugins}
    installed = {(e.plugin.kind, e.plugin.name) for e in Registry.installed().entries()}
    assert listed == installed
    assert ("loss", "tint") in listed
    for plugins in found.values():
        for plugin in plugins:
            assert plugin["summary"]
            assert plugin["distribution"]
            schema = plugin["schema"]
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
    losses = {p["name"]: p["schema"]["properties"] for p in found["loss"]}
    assert all(properties["weight"]["minimum"] == 0 for properties in losses.values())
    click = next(p for p in found["segmenter"] if p["name"] == "click")["schema"]
    assert {"$ref": "#/$defs/refiner"} in click["properties"]["refine"]["anyOf"]


def test_the_schema_of_specs_accepts_every_preset(server: Server) -> None:
    schema = server.get("/api/schema").json()
    validator = jsonschema.Draft202012Validator(schema)
    for name in server.get("/api/session").json()["presets"]:
        validator.validate(server.get(f"/api/presets/{name}").json()["spec"])
