"""The table of the kinds, and that everything that lists them is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

import instyle_core
from instyle_core import Params
from instyle_core.cli import new_plugin
from instyle_core.config.schema import spec_schema
from instyle_core.interfaces.kinds import KINDS, RESERVED
from instyle_core.plugin.registry import Registry
from tests.core.helpers.commands import Command
from tests.core.helpers.imports import HEAVY, imported_by


def test_reading_the_table_imports_nothing_heavy() -> None:
    code = "from instyle_core.interfaces.kinds import KINDS; print(*KINDS)"
    assert not imported_by(code) & {*HEAVY, "pydantic", "pydantic_core"}


@pytest.mark.parametrize("name", KINDS)
def test_each_has_a_public_interface_and_public_parameters(name: str) -> None:
    kind = KINDS[name]
    assert kind.name == name
    assert kind.interface is getattr(instyle_core, kind.interface_name)
    assert kind.interface.__module__ == f"instyle_core.interfaces.{name}"
    assert kind.params is getattr(instyle_core, kind.params_name)
    assert issubclass(kind.params, Params)


def test_the_keys_of_the_spec_are_reserved() -> None:
    assert {"use", "weight", "refine"} == RESERVED
    assert KINDS["loss"].keys == ("weight",)
    assert KINDS["segmenter"].keys == ("refine",)
    assert not any(KINDS[name].keys for name in KINDS if name not in ("loss", "segmenter"))


def test_there_is_a_template_of_each() -> None:
    templates = Path(new_plugin.__file__).with_name("templates")
    assert {path.name for path in templates.iterdir()} == {*KINDS, "common"}


def test_there_is_a_plugin_of_each_and_the_schema_has_them() -> None:
    registry = Registry.installed()
    assert list(dict.fromkeys(entry.plugin.kind for entry in registry.entries())) == list(KINDS)
    assert KINDS.keys() <= spec_schema(registry)["$defs"].keys()


@pytest.mark.parametrize("command", [("list",), ("new",)])
def test_commands_offer_them(instyle: Command, command: tuple[str, ...]) -> None:
    assert "|".join(KINDS) in instyle("plugins", *command, "--help").out.replace("\n", "")
