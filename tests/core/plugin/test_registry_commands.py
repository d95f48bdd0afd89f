"""Commands that plugins add, and the command line beside plugins that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import COMMANDS, Site, module, record


def commands(taken: tuple[str, ...] = ()) -> tuple[dict[str, click.Command], dict[str, str]]:
    added, failures = Registry.installed().commands(taken=taken)
    return added, {failure.distribution: failure.reason for failure in failures}


def test_commands_are_added(site: Site) -> None:
    site.install("dotty", module("return [click.Command('dot'), click.Group('dots')]", COMMANDS))
    added, failures = commands()
    assert isinstance(added["dots"], click.Group)
    assert "dot" in added
    assert "dotty 1.0" not in failures


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return [click.Command('plugins')]", "the command 'plugins' is instyle's own"),
        ("return [print]", "which is no named click command"),
        ("class Rude: __repr__ = None\n    return [Rude()]", "TypeError: "),
        ("return [click.Command(None)]", "which is no named click command"),
        ("raise OSError", "instyle_commands: OSError"),
        ("return [click.Command('a'), click.Command('a')]", "taken twice, by broken 1.0 and"),
    ],
)
def test_commands_that_cannot_be_added(site: Site, body: str, reason: str) -> None:
    site.install("broken", module(body, COMMANDS))
    site.install("dotty", module("return [click.Command('dot')]", COMMANDS))
    added, failures = commands(taken=("plugins",))
    assert reason in failures["broken 1.0"]
    assert "dot" in added
    assert not {"plugins", "a", None} & set(added)


def test_a_clash_of_commands(site: Site) -> None:
    for distribution in ("first", "second"):
        site.install(distribution, module("return [click.Command('dot')]", COMMANDS))
    added, failures = commands()
    assert "dot" not in added
    assert "first 1.0 and second 1.0" in failures["first 1.0"]
    assert failures["first 1.0"] == failures["second 1.0"]


def test_what_ships_with_instyle_keeps_its_commands(site: Site) -> None:
    site.install("aaa", module("return [click.Command('fcn8s', help='Mine.')]", COMMANDS))
    added, failures = commands()
    assert added["fcn8s"].help != "Mine."
    assert failures["aaa 1.0"].startswith("the command 'fcn8s' is that of instyle ")


# --- the command line -----------------------------------------------------------------------------


def test_the_command_line_survives_everything(site: Site) -> None:
    site.install("exits", "raise SystemExit('bye')")
    site.install("lost", "import no_such_module")
    site.install("future", module(f"return [{record(name=repr('from-2099'), api='2')}]"))
    site.install("first", module(f"return [{record(name=repr('twice'))}]"))
    site.install("second", module(f"return [{record(name=repr('twice'))}]"))
    site.install("takes-over", module("return [click.Command('plugins')]", COMMANDS))
    site.install("instyle-dots", module(f"return [{record()}]"))
    site.install("damaged", points=b"[console_scripts]\nno pair\n")
    site.install("panics", "class Panic(BaseException): pass\nraise Panic('unwrap')")
    vague = record(name="'undefined'", params="Vague")
    classes = "class Vague(LossParams):\n    x: 'Nowhere'\n"
    site.install("vague", module(f"return [{vague}]") + classes)
    site.install("loud", "print('hello')\n" + module("print('there'); return []"))

    listed = site.run("plugins", "list")
    assert (listed.returncode, listed.stderr) == (0, "hello\nthere\n")
    lines = listed.stdout.splitlines()
    for words in (
        ("loss", "dots", "instyle-dots 1.0", "Paints dots."),
        ("exits", "exits 1.0", "SystemExit: bye"),
        ("lost", "lost 1.0", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("loss from-2099", "future 1.0", "newer plugin interfaces (api=2)"),
        ("loss twice", "first 1.0", "first 1.0 and second 1.0"),
        ("loss twice", "second 1.0", "first 1.0 and second 1.0"),
        ("loss undefined", "vague 1.0", "name 'Nowhere' is not defined"),
        ("damaged", "damaged 1.0", "its metadata is damaged"),
        ("panics", "panics 1.0", "Panic: unwrap"),
        ("takes_over", "takes-over 1.0", "the command 'plugins' is instyle's own"),
    ):
        assert any(all(word in line for word in words) for line in lines), (words, listed.stdout)

    document = json.loads(site.run("plugins", "list", "--json").stdout)
    by_name = {plugin["name"]: plugin for plugin in document["plugins"]}
    assert by_name["dots"]["distribution"] == "instyle-dots 1.0"
    broken = {failure["distribution"] for failure in document["failures"]}
    assert {f"{name} 1.0" for name in ("exits", "lost", "future", "first", "second")} < broken

    assert site.run("--help").returncode == 0
    assert "Paints dots." in site.run("plugins", "show", "dots").stdout
    schema = json.loads(site.run("pipeline", "schema").stdout)
    assert "loss-instyle-dots:dots" not in schema["$defs"]  # it has no models of its own
    losses = [choice["title"] for choice in schema["$defs"]["loss"]["anyOf"][1:]]
    assert {"content", "dots", "first:twice", "second:twice"} <= set(losses)
    assert "undefined" not in losses
    spec = Path(__file__).parents[3] / "docs" / "examples" / "one-object.yaml"
    assert site.run("pipeline", "validate", str(spec)).returncode == 0


def test_a_spec_that_uses_a_broken_plugin_gets_its_reason(site: Site) -> None:
    site.install("future", module(f"return [{record(name=repr('from-2099'), api='2')}]"))
    examples = Path(__file__).parents[3] / "docs" / "examples"
    spec = str(examples / "whole-picture.yaml")
    assert site.run("pipeline", "validate", spec).returncode == 0
    refused = site.run("pipeline", "validate", spec, "--set", "losses.0.use=from-2099")
    assert refused.returncode == 2
    assert "'from-2099' of future 1.0 cannot be used: it was written for newer" in refused.stderr


def test_an_added_command_runs(site: Site) -> None:
    body = "return [click.Command('dot', callback=lambda: click.echo('a dot'))]"
    site.install("dotty", module(body, COMMANDS))
    assert site.run("dot").stdout == "a dot\n"
    assert "\n  dot" in site.run("--help").stdout
