"""The registry: plugins are found and loaded, and broken ones kept apart."""

from __future__ import annotations

import sys
import types

import pytest

from instyle_core import InputError, LossParams, Plugin, hookimpl, register, testing
from instyle_core.plugin import registry as registry_module
from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import Site, module, module_of, record


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


#: An exception that cannot be turned into a text.
UNSAYABLE = """
class Unsayable(Exception):
    def __str__(self):
        raise self
"""

# --- what plugins do wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no\\n  GPU')", "RuntimeError: no GPU"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise SystemExit", "SystemExit"),
        (f"{UNSAYABLE}raise Unsayable", "Unsayable"),
        (module("raise Unsayable", "instyle_plugins") + UNSAYABLE, "instyle_plugins: Unsayable"),
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
        ("class Panic(BaseException): pass\nraise Panic('unwrap')", "Panic: unwrap"),
        (module("raise GeneratorExit"), "instyle_plugins: GeneratorExit"),
        (module("yield next(iter(()))"), "instyle_plugins: RuntimeError"),
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


def test_what_plugins_print_does_not_reach_standard_output(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install("loud", "print('imported')\n" + module(f"print('asked'); return [{record()}]"))
    Registry.installed().entries()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "imported\nasked\n"


# --- a registry of some modules ------------------------------------------------------------------


def test_a_registry_of_modules(site: Site) -> None:
    plugin = Plugin("loss", "dots", LossParams, "dots_code:Dots", "Paints dots.")
    made = types.ModuleType("made")
    made.instyle_plugins = hookimpl(lambda: [plugin])  # type: ignore[attr-defined]
    (site.folder / "named.py").write_text(module(f"return [{record(name=repr('spots'))}]"))
    registry = testing.registry(made, "named", "no_such_module")
    assert registry.find("loss", "dots") is plugin
    assert registry.find("loss", "spots")
    assert [failure.name for failure in registry.failures] == ["no_such_module"]


# --- modules that are not installed ---------------------------------------------------------------


@pytest.fixture
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_registered", {})


def dots(summary: str = "Paints dots.", **changes: str) -> Plugin:
    return Plugin(
        **{"kind": "loss", "name": "dots", "params": LossParams} | changes,
        factory="a:B",
        summary=summary,
    )


@pytest.mark.usefixtures("nothing_registered")
def test_a_registered_module_is_there_until_it_is_replaced() -> None:
    register(module_of("mine", dots()))
    (entry,) = (e for e in Registry.installed().entries() if e.plugin.name == "dots")
    assert entry.distribution == "mine unversioned"
    assert entry.full_name == "mine:dots"
    register(module_of("mine", dots("Paints more dots.")))
    assert Registry.installed().find("loss", "dots").summary == "Paints more dots."


@pytest.mark.usefixtures("nothing_registered")
def test_a_registered_module_replaces_the_installed_one(site: Site) -> None:
    site.install("instyle-dots", module(f"return [{record()}]"))
    register(module_of("instyle_dots", dots("Paints other dots.")))
    registry = Registry.installed()
    assert registry.find("loss", "dots").summary == "Paints other dots."
    assert not registry.failures


@pytest.mark.usefixtures("nothing_registered")
def test_a_broken_module_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="no hook") as caught:
        register(types.ModuleType("empty"))
    assert caught.value.where == "empty"
    with pytest.raises(InputError, match="its kind is 'filter'"):
        register(module_of("mine", dots(kind="filter")))
    assert not [e for e in Registry.installed().entries() if e.plugin.name == "dots"]
