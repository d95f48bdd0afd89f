"""No plugin, and no other package, keeps the commands from working, whatever it raises."""

from __future__ import annotations

import json

import pytest

from instyle_core.config.schema import spec_schema
from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import COMMANDS, IMPORTS, Site, module, record

PANIC = "class Panic(BaseException): pass\n"

#: Modules that go wrong in ways that are no Exception, by where they do.
WRONG = {
    "import": PANIC + "raise Panic('unwrap')",
    "hook": PANIC + module("raise Panic('unwrap')"),
    "commands": PANIC + module("raise Panic('unwrap')", COMMANDS),
    "help": PANIC
    + "import click\nclass Odd(click.Command):\n"
    + "    def get_short_help_str(self, limit=45): raise Panic('unwrap')\n"
    + module("return [Odd('odd')]", COMMANDS),
    "name": module("return [click.Command(3)]", COMMANDS),
    "record": PANIC
    + "class Odd:\n    def __repr__(self): raise Panic('unwrap')\n"
    + module("return [Odd()]"),
    "kind": module(f"return [{record(kind='[]')}]"),
    "weights": module(
        "return [" + record(weights="(Weights([], 'f', '0' * 64, 1.0, url='http://x/y'),)") + "]"
    ),
    "forward": "class Forward(LossParams):\n    x: 'Nowhere' = None\n",
    "schema": "class Forward(LossParams):\n    model_config = {'json_schema_extra': {'x': {1}}}\n",
    "properties": "class Forward(LossParams):\n"
    "    model_config = {'json_schema_extra': {'properties': 3}}\n",
}


def install(site: Site, where: str) -> None:
    source = WRONG[where]
    if "class Forward" in source:
        source = f"{IMPORTS}{source}" + module(f"return [{record(params='Forward')}]")
    site.install("broken", source)
    site.install("instyle-dots", module(f"return [{record()}]"))


@pytest.mark.parametrize("where", WRONG)
def test_what_goes_wrong_is_kept_as_data(site: Site, where: str) -> None:
    install(site, where)
    registry = Registry.installed()
    assert registry.find("loss", "dots")
    json.dumps(spec_schema(registry))
    _, failures = registry.commands()
    assert {f.distribution for f in [*failures, *registry.failures]} >= {"broken 1.0"}


@pytest.mark.parametrize("where", ["import", "help"])
def test_the_command_line_goes_on(site: Site, where: str) -> None:
    install(site, where)
    site.install("other", points=b"\xff\xfe[ no pair")
    done = site.run("--help")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "pipeline" in done.stdout
    done = site.run("plugins", "list")
    assert done.returncode == 0
    assert "broken 1.0" in done.stdout
    assert "Panic" in done.stdout


def test_a_command_that_panics_is_told_in_a_line(site: Site) -> None:
    site.install(
        "broken",
        PANIC
        + module("return [click.Command('boom', callback=boom)]", COMMANDS)
        + "def boom(): raise Panic('unwrap')\n",
    )
    done = site.run("boom")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Panic: unwrap\n")
    assert "Traceback" not in done.stderr


def test_a_refiner_that_cannot_be_told_leaves_the_schema_whole(site: Site) -> None:
    params = (
        "class Odd(SegmenterParams):\n    @classmethod\n    def refiner(cls): raise SystemExit(0)\n"
    )
    source = module(f"return [{record(kind=repr('segmenter'), params='Odd')}]")
    site.install("broken", IMPORTS + params + source)
    schema = spec_schema(Registry.installed())
    assert "broken:dots" in json.dumps(schema["$defs"]["segmenter"])
