"""``instyle models``, on weights of made-up plugins."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from instyle_core import fetch_from_hub
from instyle_core.cli.models import models
from instyle_core.errors import CacheWarning, InputError, WeightsError
from instyle_core.interfaces.params import Params
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.registry import Entry, Registry
from instyle_core.weights.kept import keep
from instyle_core.weights.record import Weights
from tests.core.helpers.hub import hub_of_this_machine


@pytest.fixture(autouse=True)
def installed(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of the server (used twice), of a package, and of a package that is missing."""
    package = tmp_path / "site" / "ships_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "net.bin").write_bytes(server.body)
    monkeypatch.syspath_prepend(tmp_path / "site")
    common: dict[str, Any] = {
        "sha256": hashlib.sha256(server.body).hexdigest(),
        "megabytes": 548.1,
        "license": "BSD-3-Clause",
        "summary": "bytes",
    }
    remote = Weights(name="remote-net", file="remote.bin", url=server.url, **common)
    shipped = Weights(name="shipped-net", file="net.bin", package="ships_weights", **common)
    lost = Weights(name="lost-net", file="net.bin", package="no_such_package", **common)

    def entry(kind: Any, name: str, *weights: Weights) -> Entry:
        return Entry(Plugin(kind, name, Params, "a:B", "made up", weights), "made-up 1.0")

    entries = [entry("extractor", "net", shipped, remote), entry("segmenter", "seg", remote, lost)]
    monkeypatch.setattr(Registry, "entries", lambda self: entries)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models, arguments)


def succeed(*arguments: str) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return result


def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(succeed("list", "--json").stdout)}


def test_list(cache: Path) -> None:
    lines = {line.split()[0]: line for line in succeed("list").stdout.splitlines()}
    assert "extractor net, segmenter seg" in lines["remote-net"]
    assert "not downloaded" in lines["remote-net"]
    assert "548 MB" in lines["remote-net"]
    assert "BSD-3-Clause" in lines["remote-net"]
    assert "shipped" in lines["shipped-net"].removeprefix("shipped-net")
    assert "missing package" in lines["lost-net"]
    succeed("pull", "remote-net")
    lines = {line.split()[0]: line for line in succeed("list").stdout.splitlines()}
    assert "cached" in lines["remote-net"]


def test_list_as_json(cache: Path, tmp_path: Path, server: Any) -> None:
    seen = rows()
    assert {name: row["state"] for name, row in seen.items()} == {
        "lost-net": "missing package",
        "remote-net": "not downloaded",
        "shipped-net": "shipped",
    }
    assert seen["remote-net"]["path"] is None
    assert seen["remote-net"]["url"] == server.url
    assert seen["remote-net"]["used_by"] == ["extractor net", "segmenter seg"]
    assert seen["shipped-net"]["path"] == str(tmp_path / "site" / "ships_weights" / "net.bin")
    succeed("pull", "remote-net")
    assert rows()["remote-net"]["state"] == "cached"
    assert rows()["remote-net"]["path"] == str(cache / "remote.bin")


def test_pull_prints_the_path_alone(cache: Path, server: Any) -> None:
    result = succeed("pull", "remote-net")
    assert result.stdout == f"{cache / 'remote.bin'}\n"
    first, *lines = result.stderr.splitlines()
    assert first == f"remote-net: 548.1 MB from {server.url}"
    assert lines[-1] == "downloading remote-net: 1 of 1 MB"
    assert (cache / "remote.bin").read_bytes() == server.body
    again = succeed("pull", "remote-net")
    assert again.stdout == result.stdout
    assert again.stderr == ""
    assert server.requests == 1


def test_pull_downloads_what_is_damaged_again(cache: Path, server: Any) -> None:
    cache.mkdir()
    (cache / "remote.bin").write_bytes(b"tampered with")
    assert succeed("pull", "remote-net").stdout == f"{cache / 'remote.bin'}\n"
    assert (cache / "remote.bin").read_bytes() == server.body


def test_pull_brings_what_is_absent_beside_the_weights(
    cache: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its download may have failed, or the weights may have been saved by hand."""
    succeed("pull", "remote-net")
    entry = next(iter(Registry.installed().entries()))
    weights = replace(entry.plugin.weights[1], beside=(("user/net", "config.json", "main"),))
    plugin = replace(entry.plugin, weights=(weights,))
    monkeypatch.setattr(Registry, "entries", lambda self: [replace(entry, plugin=plugin)])
    with hub_of_this_machine(monkeypatch) as hub:
        hub.add("user/net", b"{}", file="config.json")
        result = succeed("pull", "remote-net")
    assert result.stdout.strip() == str(cache / "remote.bin")
    (config,) = cache.glob("hub/*/config.json")
    assert config.read_bytes() == b"{}"


def test_pull_fails(cache: Path, server: Any) -> None:
    server.answers = ("404",)
    result = run("pull", "remote-net")
    assert isinstance(result.exception, WeightsError)
    assert "404" in str(result.exception)
    assert result.stdout == ""


def test_pull_of_a_missing_package(server: Any) -> None:
    result = run("pull", "lost-net")
    assert isinstance(result.exception, WeightsError)
    assert "no_such_package" in str(result.exception)
    assert (result.stdout, result.stderr) == ("", "")


def test_verify(cache: Path) -> None:
    assert succeed("verify").stdout.splitlines() == [
        "lost-net: missing package",
        "remote-net: not downloaded",
        "shipped-net: ok",
    ]
    succeed("pull", "remote-net")
    assert succeed("verify", "remote-net").stdout == "remote-net: ok\n"
    (cache / "remote.bin").write_bytes(b"tampered with")
    result = run("verify")
    assert isinstance(result.exception, WeightsError)
    assert result.exception.exit_status == 3
    assert str(result.exception) == "1 file is not as it should be"
    _, remote, shipped = result.stdout.splitlines()
    assert remote.startswith(f"remote-net: {cache / 'remote.bin'}: this is not the file")
    assert shipped == "shipped-net: ok"


def test_verify_removes_damaged_copies_and_says_so(cache: Path) -> None:
    for folder in ("converted", "targets", "computed"):
        for name in ("good", "bad"):
            keep(cache / folder / f"{name}.safetensors", "x", {"a": torch.ones(1000)})
        bad = cache / folder / "bad.safetensors"
        bad.write_bytes(bad.read_bytes()[:-64] + bytes(64))
    lines = succeed("verify").stdout.splitlines()
    assert lines[-6:] == [
        f"{cache}/converted/bad.safetensors: damaged; removed, and made again when it is needed",
        "converted weights: 1 ok",
        f"{cache}/targets/bad.safetensors: damaged; removed, and made again when it is needed",
        "sums of style pictures: 1 ok",
        f"{cache}/computed/bad.safetensors: damaged; removed, and made again when it is needed",
        "what networks saw in photos: 1 ok",
    ]
    assert [path.name for path in cache.rglob("*.safetensors")] == ["good.safetensors"] * 3
    assert "removed" not in succeed("verify").stdout


def test_verify_finds_damaged_files_of_the_hub(
    cache: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_of_this_machine(monkeypatch) as hub:
        hub.add("user/net", server.body)
        path = fetch_from_hub("user/net", "model.safetensors")
    succeed("verify")
    path.write_bytes(server.body[:-1] + b"?")
    result = run("verify")
    assert isinstance(result.exception, WeightsError)
    assert f"{path}: damaged; it is downloaded again" in result.stdout


def test_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", "~nosuch-user/x")
    with pytest.warns(CacheWarning, match="INSTYLE_CACHE=~nosuch-user/x names none"):
        assert rows()["remote-net"]["state"] == "not downloaded"
    assert "remote-net: not downloaded" in succeed("verify").stdout
    for command in ("pull", "path"):
        result = run(command, "remote-net")
        assert isinstance(result.exception, WeightsError)
        assert "set INSTYLE_CACHE" in str(result.exception.hint)


def test_verify_of_what_is_not_there() -> None:
    result = run("verify", "remote-net")
    assert isinstance(result.exception, WeightsError)
    assert "not downloaded" in result.stdout


def test_path(cache: Path, server: Any) -> None:
    result = run("path", "remote-net")
    assert isinstance(result.exception, WeightsError)
    assert "instyle models pull remote-net" in str(result.exception.hint)
    assert result.stdout == ""
    assert server.requests == 0
    succeed("pull", "remote-net")
    assert succeed("path", "remote-net").stdout == f"{cache / 'remote.bin'}\n"


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
def test_unknown_names(command: str) -> None:
    result = run(command, "remote-ned")
    assert isinstance(result.exception, InputError)
    assert "'remote-net'" in str(result.exception.hint)
    result = run(command, "zzz")
    assert isinstance(result.exception, InputError)
    assert "lost-net, remote-net, shipped-net" in str(result.exception.hint)
