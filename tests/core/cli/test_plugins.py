"""``instyle plugins``, with one that is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.core.helpers.commands import ESCAPE, Command, assert_error
from tests.core.helpers.studio import Studio, listing


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(tmp_path)
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose plugin cannot be imported."""
    site = tmp_path / "site"
    info = site / "broken_thing-3.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-thing\nVersion: 3.2\n")
    (info / "entry_points.txt").write_text("[instyle]\nbroken_thing = broken_thing\n")
    (site / "broken_thing.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(site)


@pytest.mark.usefixtures("broken")
def test_plugins_list(instyle: Command, studio: Studio) -> None:
    done = instyle("plugins", "list", "--json")
    assert (done.status, done.err) == (0, "")
    document = json.loads(done.out)
    listed = {(row["kind"], row["name"]): row for row in document["plugins"]}
    assert listed["loss", "tint"]["distribution"] == "instyle-toy 1.0"
    assert {("extractor", "vgg19"), ("segmenter", "mask"), ("merger", "hard")} <= set(listed)
    failures = [row for row in document["failures"] if row["distribution"] == "broken-thing 3.2"]
    assert len(failures) == 1
    assert "no_such_module_at_all" in failures[0]["reason"]

    done = instyle("plugins", "list")
    assert (done.status, done.err) == (0, "")
    assert ESCAPE not in done.out
    lines = {line.split()[1]: line for line in done.out.splitlines() if len(line.split()) > 3}
    assert lines["tint"].split()[:3] == ["loss", "tint", "instyle-toy"]
    assert "no_such_module_at_all" in done.out


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
