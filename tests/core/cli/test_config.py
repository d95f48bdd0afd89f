"""``instyle config``, and what the user's settings change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from instyle_core.config.plan import preset_text
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.settings import write
from tests.core.helpers.studio import Studio


def shown(instyle: Command) -> dict[str, dict[str, str]]:
    done = instyle("config", "--json")
    assert (done.status, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["problems"] == []
    settings: dict[str, dict[str, str]] = document["settings"]
    return settings


def test_what_is_built_in(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("INSTYLE_CACHE")
    found = shown(instyle)
    assert found["device"] == {"value": "auto", "from": "built in"}
    assert found["preset"] == {"value": "default", "from": "built in"}
    assert found["cache"] == {"value": str(tmp_path / "instyle"), "from": "built in"}


def test_each_value_says_where_it_comes_from(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, monkeypatch, 'device = "cpu"\ncache = "/kept"\n')
    monkeypatch.setenv("INSTYLE_CACHE", "/mine")
    assert shown(instyle)["device"] == {"value": "cpu", "from": f"file: {path}:1"}
    assert shown(instyle)["cache"] == {"value": "/mine", "from": "environment: INSTYLE_CACHE"}
    monkeypatch.delenv("INSTYLE_CACHE")
    assert shown(instyle)["cache"] == {"value": "/kept", "from": f"file: {path}:2"}
    done = instyle("config")
    assert done.out.splitlines()[0] == f"file: {path}"
    assert "/kept" in done.out


def test_set(instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "new"))
    assert "(not there yet)" in instyle("config").out
    for key, value in (("device", "cuda:1"), ("preset", "draft"), ("device", "cpu")):
        assert instyle("config", "set", key, value).status == 0
    path = tmp_path / "new" / "instyle" / "config.toml"
    assert path.read_text("utf-8") == 'device = "cpu"\npreset = "draft"\n'
    assert shown(instyle)["device"]["value"] == "cpu"


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [("device", "gpu", "cuda[:N]"), ("preset", "drafty", "'draft'"), ("cache", "a/b", "absolute")],
)
def test_a_value_without_a_meaning_is_refused(
    instyle: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    value: str,
    word: str,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "new"))
    done = instyle("config", "set", key, value)
    assert_error(done, 2, word, value, hint=False)
    assert not (tmp_path / "new").exists()


def test_a_broken_file_stops_only_what_needs_it(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(studio.folder, monkeypatch, '\ndevice = "gpu"\n')
    monkeypatch.delenv("INSTYLE_CACHE")
    spec = studio.spec(device=None)
    for arguments in (
        ("pipeline", "run", spec),
        ("pipeline", "validate", spec),
        ("style", "rank", "photo.png", ".", "--whole"),
    ):
        assert_error(instyle(*arguments), 2, f"{path}:2", "gpu", hint=False)
    assert not (studio.folder / "out.png").exists()
    monkeypatch.setattr(Path, "home", lambda: studio.folder)
    for arguments in (("plugins", "list"), ("--help",), ("pipeline", "schema")):
        assert instyle(*arguments).status == 0
    done = instyle("config")
    assert done.status == 0
    assert done.err.startswith(f"error: {path}:2: ")
    assert "built in" in done.out
    (problem,) = json.loads(instyle("config", "--json").out)["problems"]
    assert problem.startswith(f"{path}:2: ")


def test_a_broken_file_and_the_cache(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, monkeypatch, "cache = /kept\n")
    monkeypatch.delenv("INSTYLE_CACHE")
    assert_error(instyle("models", "list"), 2, f"{path}:1", "TOML")
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    assert instyle("models", "list").status == 0


# --- what a run takes from it ---------------------------------------------------------------------


def run(instyle: Command, spec: Path, *options: str) -> dict[str, object]:
    done = instyle("pipeline", "run", spec, "--json", *options)
    assert done.status == 0, done.err
    record = json.loads(done.out)
    return {"device": record["spec"]["device"], "settings": record["settings"]}


def test_a_spec_without_a_device(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(studio.folder, monkeypatch, 'device = "cpu"\n')
    left_out = studio.spec("left-out.yaml", device=None)
    assert run(instyle, left_out) == {"device": "cpu", "settings": {"device": "cpu"}}
    # The record of it has the device, so that it is repeated as it was.
    assert run(instyle, studio.folder / "out.png.run" / "run.json")["settings"] == {}
    assert run(instyle, left_out, "--device", "auto")["settings"] == {}
    assert run(instyle, studio.spec(device="auto")) == {"device": "auto", "settings": {}}


def test_the_cache_of_a_run(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(studio.folder / "kept")
    write(studio.folder, monkeypatch, f"cache = {json.dumps(folder)}\n")
    assert run(instyle, studio.spec())["settings"] == {}  # the environment comes first
    monkeypatch.delenv("INSTYLE_CACHE")
    assert run(instyle, studio.spec())["settings"] == {"cache": folder}


def test_a_device_that_is_not_there_is_told_by_its_name(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(studio.folder, monkeypatch, 'device = "xpu:7"\n')
    done = instyle("pipeline", "run", studio.spec(device=None))
    assert_error(done, 2, "xpu:7", str(path), hint=True)


def test_the_preset_of_new_specs(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, monkeypatch, 'preset = "draft"\n')
    assert instyle("pipeline", "init", "-o", "-").out == preset_text("draft")
    assert instyle("pipeline", "init", "-o", "-", "--preset", "paper").out == preset_text("paper")
    other = tmp_path / "other"
    other.mkdir()
    wrong = write(other, monkeypatch, 'preset = "drafty"\n')
    assert_error(instyle("pipeline", "init", "-o", "-"), 2, f"{wrong}:1", "'draft'")
    assert yaml.safe_load(instyle("pipeline", "init", "-o", "-", "--preset", "paper").out)
    assert path != wrong
