"""Completion, as a shell asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from instyle_core.plugin.registry import Registry
from tests.core.helpers.commands import Command
from tests.core.helpers.imports import HEAVY, command, imported_by
from tests.core.helpers.site import Site, module, record
from tests.core.helpers.studio import Studio


def completed(site: Site, line: str, shell: str = "bash") -> list[str]:
    """What click offers at the end of a line."""
    words = line.split(" ")
    variables = {"_INSTYLE_COMPLETE": f"{shell}_complete", "COMP_WORDS": line}
    variables["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words) - 1)
    done = site.run(**variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def names(kind: str | None = None) -> set[str]:
    return {entry.plugin.name for entry in Registry.installed().entries(kind)}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("instyle plugins show ", None),
        ("instyle segment photo.png --use ", "segmenter"),
        ("instyle style rank a.png b --use ", "ranker"),
        ("instyle style rank a.png b --segmenter ", "segmenter"),
    ],
)
def test_names_of_plugins(site: Site, line: str, kind: str | None) -> None:
    found = completed(site, line)
    assert {item.removeprefix("plain,") for item in found} == names(kind)
    assert all(item.startswith("plain,") for item in found)


def test_what_is_begun_is_completed(site: Site) -> None:
    assert completed(site, "instyle plugins show grab") == ["plain,grabcut"]
    assert completed(site, "instyle plug") == ["plain,plugins"]
    assert completed(site, "instyle pipeline run a.yaml --device c") == ["plain,cpu", "plain,cuda"]
    assert completed(site, "instyle pipeline init --preset d") == ["plain,default", "plain,draft"]
    assert completed(site, "instyle config set preset p") == ["plain,paper"]
    assert completed(site, "instyle config set device m") == ["plain,mps"]
    assert completed(site, "instyle config set cache x") == ["dir,x"]


@pytest.mark.parametrize("subcommand", ["pull", "verify", "path"])
def test_names_of_weights(site: Site, subcommand: str) -> None:
    assert completed(site, f"instyle models {subcommand} vgg19-o") == ["plain,vgg19-oxford"]


def test_files_are_left_to_the_shell(site: Site) -> None:
    for line in ("instyle segment ph", "instyle pipeline run ph", "instyle pipeline init -o ph"):
        assert completed(site, line) == ["file,ph"]


@pytest.mark.parametrize(("shell", "first"), [("zsh", "plain"), ("fish", "plain,grabcut")])
def test_other_shells(site: Site, shell: str, first: str) -> None:
    assert completed(site, "instyle plugins show grab", shell)[0] == first


def test_plugins_of_others_and_broken_ones_that_print(site: Site) -> None:
    site.install("loud", f"print('here'); {module(f'print(1); return [{record()}]')}")
    site.install("broken", "raise RuntimeError('no')")
    assert completed(site, "instyle plugins show dot") == ["plain,dots"]


def test_nothing_heavy_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_INSTYLE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "instyle segment a.png --use ")
    monkeypatch.setenv("COMP_CWORD", "4")
    there = imported_by(command())
    assert not there & HEAVY
    assert "rich" not in there


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_instyle(instyle: Command, shell: str) -> None:
    done = instyle("completion", shell)
    assert (done.status, done.err) == (0, "")
    assert f"_INSTYLE_COMPLETE={shell}_complete" in done.out
    assert instyle("completion", "tcsh").status == 2


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_in_bash(instyle: Command, tmp_path: Path, studio: Studio) -> None:
    (tmp_path / "script").write_text(instyle("completion", "bash").out)
    program = tmp_path / "bin" / "instyle"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom instyle_core.cli import main\nmain()\n")
    program.chmod(0o755)
    asked = """
source ./script
COMP_WORDS=(instyle models path vgg19-o) COMP_CWORD=3
_instyle_completion instyle vgg19-o path
printf '%s\n' "${COMPREPLY[@]}"
complete -p instyle
"""
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", asked],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    reply, registered = done.stdout.splitlines()
    assert reply == "vgg19-oxford"
    assert "_instyle_completion" in registered
