"""``instyle plugins``, with some that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.core.helpers.commands import ESCAPE, Command, assert_error
from tests.core.helpers.site import Site, module, record
from tests.core.helpers.studio import Studio, listing, noise, save


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(tmp_path)
    return Studio.open(tmp_path, monkeypatch)


def test_plugins_list(instyle: Command, studio: Studio, site: Site) -> None:
    site.install("broken-thing", "import no_such_module_at_all", version="3.2")
    done = instyle("plugins", "list", "--json")
    assert (done.status, done.err) == (0, "")
    document = json.loads(done.out)
    listed = {(row["kind"], row["name"]): row for row in document["plugins"]}
    assert listed["loss", "tint"] == {
        "kind": "loss",
        "name": "tint",
        "distribution": "instyle-toy 1.0",
        "summary": "A toy loss.",
        "source": "",
        "distribution_name": "instyle-toy",
        "distribution_version": "1.0",
        "entry_point": {"name": "instyle_toy", "value": "instyle_toy"},
    }
    assert {("extractor", "vgg19"), ("segmenter", "mask"), ("merger", "hard")} <= set(listed)
    failures = [row for row in document["failures"] if row["distribution"] == "broken-thing 3.2"]
    assert len(failures) == 1
    assert failures[0].keys() == {"name", "kind", "distribution", "reason"}
    assert "no_such_module_at_all" in failures[0]["reason"]

    done = instyle("plugins", "list")
    assert (done.status, done.err) == (0, "")
    assert ESCAPE not in done.out
    lines = {line.split()[1]: line for line in done.out.splitlines() if len(line.split()) > 3}
    assert lines["tint"].split()[:3] == ["loss", "tint", "instyle-toy"]
    assert "no_such_module_at_all" in done.out


def test_plugins_list_fits_the_terminal(
    instyle: Command, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = " ".join(["wordy"] * 30)
    site.install("long", module(f"return [{record(summary=repr(words))}]"))
    site.install("broken", f"raise RuntimeError({words!r})")
    monkeypatch.setenv("COLUMNS", "70")
    out = instyle("plugins", "list").out
    assert all(len(line) <= 70 for line in out.splitlines())
    assert out.count("wordy") == 60


def test_plugins_list_of_one_kind(instyle: Command, studio: Studio) -> None:
    document = json.loads(instyle("plugins", "list", "--kind", "merger", "--json").out)
    assert {row["kind"] for row in document["plugins"]} == {"merger"}
    assert "clumsy" in {row["name"] for row in document["plugins"]}


def test_plugins_show(instyle: Command, studio: Studio) -> None:
    done = instyle("plugins", "show", "tint")
    assert (done.status, done.err) == (0, "")
    assert ESCAPE not in done.out
    assert "loss tint" in done.out
    assert "instyle-toy 1.0" in done.out
    assert "color" in done.out
    assert_error(instyle("plugins", "show", "tind"), 2, "'tind'", "tint")


def test_plugins_show_by_full_name(instyle: Command, site: Site) -> None:
    for distribution in ("first", "second"):
        summary = repr(f"Of {distribution}.")
        site.install(distribution, module(f"return [{record(summary=summary)}]"))
    done = instyle("plugins", "show", "Second:dots")
    assert done.status == 0
    assert "loss dots  second 1.0" in done.out
    assert "Of second." in done.out
    assert "Of first." not in done.out
    done = instyle("plugins", "show", "instyle:grabcut")
    assert [line for line in done.out.splitlines() if "grabcut  instyle" in line] == [
        line
        for line in instyle("plugins", "show", "grabcut").out.splitlines()
        if "  instyle" in line
    ]
    refused = instyle("plugins", "show", "dots")
    assert_error(refused, 2, "taken twice, by first 1.0 and second 1.0", hint=False)
    assert_error(instyle("plugins", "show", "secnd:dots"), 2, "did you mean 'second:dots'")


def test_what_plugins_print_is_kept_out_of_json(instyle: Command, site: Site) -> None:
    source = module(f"print('asked'); return [{record()}]")
    site.install("loud", f"print('imported')\n{source}")
    done = instyle("plugins", "list", "--json")
    assert "dots" in {plugin["name"] for plugin in json.loads(done.out)["plugins"]}
    assert "imported\nasked\n" in done.err


def test_an_old_name_of_a_parameter_is_told_once(instyle: Command, studio: Studio) -> None:
    (studio.folder / "paintings").mkdir()
    save(studio.folder / "paintings" / "a.png", noise())
    ranker = {"use": "affinity", "colour": 0.25}
    style = {"choose_from": "paintings", "ranker": ranker}
    spec = studio.spec(style=style, objects=[{}, {"style": style}])
    done = instyle("pipeline", "validate", spec)
    assert done.status == 0
    assert done.err == "note: ranker 'affinity': 'colour' is called 'color' now\n"


def test_plugins_new(instyle: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    done = instyle("plugins", "new", "loss", "my-loss", "-o", folder)
    assert (done.status, done.err) == (0, "")
    assert str(folder) in done.out
    assert (folder / "pyproject.toml").is_file()
    before = listing(folder)
    done = instyle("plugins", "new", "merger", "other", "-o", folder)
    assert_error(done, 2, str(folder))
    assert listing(folder) == before
