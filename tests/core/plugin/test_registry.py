"""The registry, on made-up distributions that importlib.metadata really finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from instyle_core import InputError, InstyleError, LossParams, Plugin, hookimpl, testing
from instyle_core.plugin.registry import Registry


def record(**changes: str) -> str:
    """The source of a record; values are source too."""
    fields = {
        "kind": "'loss'",
        "name": "'dots'",
        "params": "LossParams",
        "factory": "'dots_code:Dots'",
        "summary": "'Paints dots.'",
    }
    return f"Plugin({', '.join(f'{key}={value}' for key, value in (fields | changes).items())})"


def module(body: str, hook: str = "instyle_plugins") -> str:
    """The source of a plugin module with one hook."""
    return f"from instyle_core import *\nimport click\n@hookimpl\ndef {hook}():\n    {body}\n"


COMMANDS = "instyle_commands"


class Site:
    """A folder on ``sys.path`` with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, source: str, *, point: str | None = None) -> None:
        """Add a distribution of version 1.0 with one module and an entry point of its name."""
        name = distribution.replace("-", "_")
        info = self.folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[instyle]\n{name} = {point or name}\n")
        (self.folder / f"{name}.py").write_text(source)

    def failure(self, distribution: str) -> tuple[str, str | None, str]:
        """The name, kind and reason of the only failure of a distribution."""
        (found,) = (
            failure
            for failure in Registry.installed().failures
            if failure.distribution == f"{distribution} 1.0"
        )
        assert "\n" not in found.reason
        return found.name, found.kind, found.reason

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``instyle`` in a process of its own."""
        command = [sys.executable, "-c", "from instyle_core.cli import main; main()", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200"}
        environment.pop("INSTYLE_PLUGINS", None)
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.folder, timeout=60
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("INSTYLE_PLUGINS", raising=False)
    before = set(sys.modules)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


# --- finding --------------------------------------------------------------------------------------


def test_an_installed_plugin_is_found_and_its_code_left_alone(site: Site) -> None:
    site.install("instyle-dots", module(f"return [{record()}]"))
    (site.folder / "dots_code.py").write_text("class Dots: pass")
    registry = Registry.installed()
    (entry,) = (e for e in registry.entries("loss") if e.plugin.name == "dots")
    assert entry.distribution == "instyle-dots 1.0"
    assert registry.find("loss", "dots") is entry.plugin
    assert entry in registry.entries()
    assert entry not in registry.entries("merger")
    assert "dots_code" not in sys.modules
    assert entry.plugin.load().__name__ == "Dots"


def test_first_party_plugins_are_found_in_the_same_way(site: Site) -> None:
    names = {(e.plugin.kind, e.plugin.name): e.distribution for e in Registry.installed().entries()}
    for key in (("extractor", "vgg19"), ("loss", "content"), ("merger", "feather")):
        assert names[key].startswith("instyle ")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "No module named 'dots_code'"),
        ("class Spots: pass", "module 'dots_code' has no attribute 'Dots'"),
        ("raise RuntimeError('no license')", "RuntimeError: no license"),
    ],
)
def test_code_that_cannot_be_loaded(site: Site, code: str, reason: str) -> None:
    site.install("instyle-dots", module(f"return [{record()}]"))
    if code:
        (site.folder / "dots_code.py").write_text(code)
    with pytest.raises(InstyleError) as caught:
        Registry.installed().find("loss", "dots").load()
    assert "the loss 'dots' cannot be loaded from dots_code:Dots" in caught.value.what
    assert reason in caught.value.what


# --- what plugins do wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no\\n  GPU')", "RuntimeError: no GPU"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise SystemExit", "SystemExit"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def (", "SyntaxError: "),
        ("", "it implements no hook; is an @hookimpl missing?"),
        ("def instyle_plugins(): return []", "it implements no hook"),
        (
            module("return []", "instyle_plugin"),
            "it implements the hook 'instyle_plugin', which does not exist "
            "(the hooks are instyle_commands, instyle_plugins)",
        ),
        (module("return []", "instyle_plugins").replace("()", "(config)"), "config"),
        (module("1 / 0"), "instyle_plugins: ZeroDivisionError: division by zero"),
        (module("exit(1)"), "instyle_plugins: SystemExit: 1"),
        (module("pass"), "instyle_plugins: TypeError: 'NoneType' object is not iterable"),
        (module("yield 1 / 0"), "instyle_plugins: ZeroDivisionError"),
        (module("return [{'name': 'dots'}]"), "instyle_plugins returned {'name': 'dots'}, which"),
        (module("return [3]"), "instyle_plugins returned 3, which is no instyle_core.Plugin"),
    ],
)
def test_a_broken_plugin_is_kept_as_data(site: Site, source: str, reason: str) -> None:
    site.install("broken", source)
    site.install("instyle-dots", module(f"return [{record()}]"))
    name, kind, actual = site.failure("broken")
    assert (name, kind) == ("broken", None)
    assert reason in actual
    assert Registry.installed().find("loss", "dots")


@pytest.mark.parametrize("point", ["broken:nothing", "no-module!", "broken.sub"])
def test_an_entry_point_that_leads_nowhere(site: Site, point: str) -> None:
    site.install("broken", module(f"return [{record()}]"), point=point)
    name, _, reason = site.failure("broken")
    assert name == "broken"
    assert "Error: " in reason


def test_an_interrupt_is_no_failure(site: Site) -> None:
    site.install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.installed().entries()


@pytest.mark.parametrize(
    ("changes", "name", "kind", "reason"),
    [
        ({"kind": "'filter'"}, "dots", None, "its kind is 'filter'; kinds are segmenter, "),
        ({"kind": "None", "name": "3"}, "broken", None, "its kind is None"),
        ({"name": "''"}, "broken", "loss", "its name is ''"),
        ({"name": "7"}, "broken", "loss", "its name is 7"),
        ({"name": "'My Dots'"}, "My Dots", "loss", "lower-case letters, digits and dashes"),
        ({"api": "2"}, "dots", "loss", "newer plugin interfaces (api=2)"),
        ({"api": "2", "kind": "'filter'"}, "dots", None, "upgrade instyle"),
        ({"api": "0"}, "dots", "loss", "upgrade the plugin"),
        ({"api": "'1'"}, "dots", "loss", "api='1'"),
        ({"params": "Params"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"params": "LossParams()"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"params": "None"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"kind": "'extractor'"}, "dots", "extractor", "instyle_core.ExtractorParams"),
        ({"factory": "'dots_code.Dots'"}, "dots", "loss", "of the form 'package.module:Class'"),
        ({"factory": "'a:b:c'"}, "dots", "loss", "of the form"),
        ({"factory": "LossParams"}, "dots", "loss", "of the form"),
        ({"summary": "None"}, "dots", "loss", "its summary or source is not a text"),
        ({"weights": "('vgg',)"}, "dots", "loss", "not a tuple of instyle_core.Weights"),
    ],
)
def test_a_bad_record(
    site: Site, changes: dict[str, str], name: str, kind: str | None, reason: str
) -> None:
    fine = record(name="'fine'")
    site.install("broken", module(f"return [{record(**changes)}, {fine}]"))
    assert site.failure("broken")[:2] == (name, kind)
    assert reason in site.failure("broken")[2]
    assert Registry.installed().find("loss", "fine"), "a good record beside a bad one is used"


# --- clashes --------------------------------------------------------------------------------------


def test_a_clash_names_both_and_neither_wins(site: Site) -> None:
    for distribution in ("first", "second"):
        site.install(distribution, module(f"return [{record()}]"))
    registry = Registry.installed()
    assert not [entry for entry in registry.entries() if entry.plugin.name == "dots"]
    for distribution in ("first", "second"):
        name, kind, reason = site.failure(distribution)
        assert (name, kind) == ("dots", "loss")
        assert "taken twice, by first 1.0 and second 1.0" in reason
    with pytest.raises(InputError, match=r"first 1\.0 and second 1\.0"):
        registry.find("loss", "dots")


def test_a_clash_with_a_first_party_plugin(site: Site) -> None:
    site.install("other", module(f"return [{record(name=repr('style'))}]"))
    with pytest.raises(InputError, match=r"taken twice, by instyle .* and other 1\.0"):
        Registry.installed().find("loss", "style")
    assert Registry.installed().find("loss", "content")


def test_one_name_for_two_kinds_is_no_clash(site: Site) -> None:
    merger = record(kind="'merger'", params="Params")
    site.install("both", module(f"return [{record()}, {merger}]"))
    registry = Registry.installed()
    assert registry.find("loss", "dots").kind == "loss"
    assert registry.find("merger", "dots").kind == "merger"


def test_the_name_of_a_broken_record_is_free_for_others(site: Site) -> None:
    site.install("broken", module(f"return [{record(api='2')}]"))
    site.install("working", module(f"return [{record()}]"))
    assert Registry.installed().find("loss", "dots")


# --- looking up -----------------------------------------------------------------------------------


def look_up(kind: str, name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        Registry.installed().find(kind, name)
    return caught.value


def test_unknown_names(site: Site) -> None:
    near = look_up("loss", "contents")
    assert near.what == "no loss is called 'contents'"
    assert "did you mean 'content'?" in str(near.hint)
    assert look_up("loss", "vgg19").hint == "'vgg19' is a plugin of another kind: extractor"
    assert "installed: content, depth, laplacian, style, tv" in str(look_up("loss", "zzz").hint)


def test_unknown_name_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_PLUGINS", "none")
    assert look_up("loss", "content").hint == "no loss is installed"


def test_a_broken_one_gives_its_reason(site: Site) -> None:
    site.install("future", module(f"return [{record(api='2')}]"))
    site.install("instyle-spots", "import no_such_module")
    assert "the loss 'dots' of future 1.0 cannot be used: " in look_up("loss", "dots").what
    assert "newer plugin interfaces" in look_up("loss", "dots").what
    # What did not even load may have had the plugin.
    hint = look_up("loss", "spots").hint
    assert "instyle_spots of instyle-spots 1.0 failed to load: see `instyle plugins list`" in str(
        hint
    )


# --- commands -------------------------------------------------------------------------------------


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
        ("return [click.Command(None)]", "which is no named click command"),
        ("raise OSError", "instyle_commands: OSError"),
        ("return [click.Command('a'), click.Command('a')]", "added twice, by broken 1.0 and"),
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


# --- INSTYLE_PLUGINS ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "imported"),
    [
        ("none", set()),
        ("", set()),
        ("second", {"second"}),
        ("second, first", {"first", "second"}),
        ("third,instyle_losses", set()),
    ],
)
def test_only_named_entry_points_are_imported(
    site: Site, monkeypatch: pytest.MonkeyPatch, value: str, imported: set[str]
) -> None:
    for name in ("first", "second"):
        site.install(name, module(f"return [{record(name=repr(name))}]"))
    monkeypatch.setenv("INSTYLE_PLUGINS", value)
    registry = Registry.installed()
    names = {entry.plugin.name for entry in registry.entries()}
    registry.commands()
    assert {"first", "second"} & names == imported
    assert {"first", "second"} & set(sys.modules) == imported
    assert ("content" in names) == ("instyle_losses" in value)
    assert not registry.failures


# --- a registry in a box --------------------------------------------------------------------------


def test_a_registry_of_modules(site: Site) -> None:
    plugin = Plugin("loss", "dots", LossParams, "dots_code:Dots", "Paints dots.")
    made = types.ModuleType("made")
    made.instyle_plugins = hookimpl(lambda: [plugin])  # type: ignore[attr-defined]
    (site.folder / "named.py").write_text(module(f"return [{record(name=repr('spots'))}]"))
    registry = testing.registry(made, "named", "no_such_module")
    assert registry.find("loss", "dots") is plugin
    assert registry.find("loss", "spots")
    assert [failure.name for failure in registry.failures] == ["no_such_module"]


# --- the command line -----------------------------------------------------------------------------


def test_the_command_line_survives_everything(site: Site) -> None:
    site.install("exits", "raise SystemExit('bye')")
    site.install("lost", "import no_such_module")
    site.install("future", module(f"return [{record(name=repr('from-2099'), api='2')}]"))
    site.install("first", module(f"return [{record(name=repr('twice'))}]"))
    site.install("second", module(f"return [{record(name=repr('twice'))}]"))
    site.install("takes-over", module("return [click.Command('plugins')]", COMMANDS))
    site.install("instyle-dots", module(f"return [{record()}]"))

    listed = site.run("plugins", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    for words in (
        ("loss", "dots", "instyle-dots 1.0", "Paints dots."),
        ("exits", "exits 1.0", "SystemExit: bye"),
        ("lost", "lost 1.0", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("loss from-2099", "future 1.0", "newer plugin interfaces (api=2)"),
        ("loss twice", "first 1.0", "first 1.0 and second 1.0"),
        ("loss twice", "second 1.0", "first 1.0 and second 1.0"),
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
