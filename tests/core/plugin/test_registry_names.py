"""What the names of plugins mean: clashes, full names, and names that there are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instyle_core import InputError, LossParams, Plugin
from instyle_core.plugin.registry import Registry
from tests.core.helpers.pictures import FEW
from tests.core.helpers.site import Site, module, record, source_of


def test_a_clash_names_both_and_neither_wins(site: Site) -> None:
    for distribution in ("first", "second"):
        site.install(distribution, module(f"return [{record()}]"))
    registry = Registry.installed()
    assert not [entry for entry in registry.entries() if entry.plugin.name == "dots"]
    for distribution in ("first", "second"):
        name, kind, reason = site.failure(distribution)
        assert (name, kind) == ("dots", "loss")
        assert "taken twice, by first 1.0 and second 1.0" in reason
        assert f"`use: {distribution}:dots` means this one" in reason
    with pytest.raises(InputError, match=r"first 1\.0 and second 1\.0"):
        registry.find("loss", "dots")


def test_what_ships_with_instyle_keeps_its_names(site: Site) -> None:
    site.install("aaa", module(f"return [{record(name=repr('style'))}]"))
    registry = Registry.installed()
    assert registry.look_up("loss", "style").source.name == "instyle"
    assert registry.look_up("loss", "aaa:style").distribution == "aaa 1.0"
    name, kind, reason = site.failure("aaa")
    assert (name, kind) == ("style", "loss")
    assert reason.startswith("the name 'style' is that of instyle ")
    assert reason.endswith("`use: aaa:style` means this one")


def test_a_name_that_one_distribution_announces_twice(site: Site) -> None:
    site.install("broken", module(f"return [{record()}, {record()}]"))
    registry = Registry.installed()
    assert {failure.reason for failure in site.failures("broken")} == {
        "the name 'dots' is taken twice, by broken 1.0 and broken 1.0"
    }
    assert not registry.named("dots")
    assert not registry.named("broken:dots")


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


# --- full names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["My_Own.Dots:dots", "my-own-dots:dots", "my.own-dots:dots", "MY-OWN-DOTS:dots"]
)
def test_names_of_distributions_compare_as_pip_does(site: Site, name: str) -> None:
    site.install("My_Own.Dots", module(f"return [{record()}]"), point="my_dots")
    (site.folder / "my_dots.py").write_text(module(f"return [{record()}]"))
    assert Registry.installed().look_up("loss", name).full_name == "my-own-dots:dots"


@pytest.mark.parametrize("name", ["content", "instyle:content"])
def test_every_plugin_has_a_full_name(name: str) -> None:
    entry = Registry.installed().look_up("loss", name)
    assert (entry.plugin.name, entry.full_name) == ("content", "instyle:content")


def test_what_a_spec_has_to_call_them(site: Site) -> None:
    for distribution in ("first", "second"):
        site.install(distribution, module(f"return [{record()}, {record(name=repr('tv'))}]"))
    site.install("third", module(f"return [{record(name=repr('alone'))}]"))
    registry = Registry.installed()
    names = {registry.name_of(entry) for entry in registry.entries("loss", full=True)}
    assert {"first:dots", "second:dots", "first:tv", "second:tv", "tv", "alone"} <= names
    assert not {"dots", "instyle:tv", "third:alone"} & names
    bare = {registry.name_of(entry) for entry in registry.entries("loss")}
    assert bare == {name for name in names if ":" not in name}


WORDS = st.sampled_from(["content", "tv", "dots", "spots"])
OWNERS = st.sampled_from(["instyle", "first", "second", "third"])


@given(st.lists(st.tuples(OWNERS, WORDS), max_size=8))
@settings(FEW)
def test_a_name_means_instyle_s_or_the_only_one(announced: list[tuple[str, str]]) -> None:
    """Against the rule as it is told to users, for any packages with any names."""
    plugins = [Plugin("loss", name, LossParams, "a:B", "Does nothing.") for _, name in announced]
    registry = Registry(
        replace(source_of(owner, plugin), point=f"point{number}")
        for number, ((owner, _), plugin) in enumerate(zip(announced, plugins, strict=True))
    )
    for name in ("content", "tv", "dots", "spots"):
        owners = [owner for owner, own in announced if own == name]
        own = owners.count("instyle")
        right = "instyle" if own == 1 else owners[0] if len(owners) == 1 else None
        found = [entry.source.name for entry in registry.named(name)]
        assert found == ([right] if right else [])
        for owner in ("instyle", "first", "second", "third"):
            full = registry.named(f"{owner}:{name}")
            assert len(full) == (owners.count(owner) == 1)
    refused = [failure for failure in registry.failures if failure.kind == "loss"]
    assert len(refused) + len(registry.entries("loss")) == len(announced)


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
    assert "installed: content, depth, laplacian, palette," in str(look_up("loss", "zzz").hint)
    assert "installed: instyle:content, " in str(look_up("loss", "zzz:zzz").hint)
    for wrong in ("instyle:contents", "intsyle:content"):
        far = look_up("loss", wrong)
        assert far.what == f"no loss is called '{wrong}'"
        assert "did you mean 'instyle:content'" in str(far.hint)
    assert "plugin of another kind: loss" in str(look_up("merger", "instyle:tv").hint)


def test_unknown_name_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_PLUGINS", "none")
    assert look_up("loss", "content").hint == "no loss is installed"


def test_a_broken_one_gives_its_reason(site: Site) -> None:
    site.install("future", module(f"return [{record(api='2')}]"))
    site.install("instyle-spots", "import no_such_module")
    assert "the loss 'dots' of future 1.0 cannot be used: " in look_up("loss", "dots").what
    assert "newer plugin interfaces" in look_up("loss", "dots").what
    assert "newer plugin interfaces" in look_up("loss", "Future:dots").what
    assert look_up("loss", "other:dots").what == "no loss is called 'other:dots'"
    # What did not even load may have had the plugin.
    hint = look_up("loss", "spots").hint
    assert "instyle_spots of instyle-spots 1.0 failed to load: see `instyle plugins list`" in str(
        hint
    )


def test_a_mistake_in_the_variable_is_told_where_it_may_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INSTYLE_PLUGINS", "instyle_loses")
    hint = str(look_up("loss", "content").hint)
    assert "note that INSTYLE_PLUGINS is wrong: no plugin module or package" in hint
    assert "did you mean 'instyle_losses'" in hint
