"""The command line as a whole: help, usage, exit statuses, and how it ends."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from instyle_core.cli import main
from instyle_core.errors import PluginError
from tests.core.helpers.commands import Command, start
from tests.core.helpers.studio import Studio

# --- help -----------------------------------------------------------------------------------------


COMMANDS = [
    "",
    "completion",
    "config",
    "config set",
    "demo",
    "pipeline",
    "pipeline run",
    "pipeline init",
    "pipeline validate",
    "pipeline schema",
    "plugins",
    "plugins list",
    "plugins show",
    "plugins new",
    "segment",
    "style",
    "style rank",
    "models",
    "models list",
    "models pull",
    "models verify",
    "models path",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(instyle: Command, command: str, option: str) -> None:
    done = instyle(*command.split(), option)
    assert done.status == 0
    assert done.out.startswith(f"Usage: instyle {command}".rstrip())
    assert len(done.out.splitlines()) > 3
    assert done.err == ""


def test_version(instyle: Command) -> None:
    done = instyle("--version")
    assert done.status == 0
    assert version("instyle") in done.out


@pytest.mark.parametrize(
    "command",
    ["nonsense", "pipeline nonsense", "pipeline run", "pipeline run a.yaml --nonsense", "segment"],
)
def test_wrong_usage(instyle: Command, command: str) -> None:
    done = instyle(*command.split())
    assert done.status == 2
    assert done.out == ""
    assert "Error: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("seed", ["x", "1.5"])
def test_an_option_of_the_wrong_kind(instyle: Command, studio: Studio, seed: str) -> None:
    done = instyle("pipeline", "run", studio.spec(), "--seed", seed)
    assert done.status == 2
    assert "seed" in done.err


# --- how it ends ----------------------------------------------------------------------------------


def test_a_bug_is_no_traceback_unless_asked_for(instyle: Command, studio: Studio) -> None:
    spec = studio.spec(merger={"use": "clumsy"})
    done = instyle("pipeline", "run", spec, "--quiet")
    assert done.status == 1
    assert done.out == ""
    assert "the merger dropped it" in done.err
    assert "Traceback" not in done.err
    assert "--debug" in done.err
    for arguments in (["--debug", "pipeline", "run"], ["pipeline", "run", "--debug"]):
        with pytest.raises(PluginError, match="the merger dropped it") as caught:
            main([*arguments, str(spec), "--quiet"])
        assert isinstance(caught.value.__cause__, RuntimeError)


def test_exit_statuses_of_real_processes(studio: Studio) -> None:
    """One process each, without torch where there is nothing to compute."""
    wrong = studio.spec("wrong.yaml", size=1)
    with start("pipeline", "validate", wrong, folder=studio.folder) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")
    with start("models", "path", "toy-missing", folder=studio.folder) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert "no_such_package" in err


def test_a_reader_that_leaves_is_no_error_to_speak_of(studio: Studio) -> None:
    process = start("pipeline", "schema", folder=studio.folder)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == "{"
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in err
    assert "Exception" not in err


# --- commands of plugins --------------------------------------------------------------------------


@pytest.fixture
def greeter(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that adds the commands `greet` and `segment`."""
    info = studio.folder / "site" / "greeter-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[instyle]\ngreeter = greeter\n")
    (info.parent / "greeter.py").write_text(GREETER)
    monkeypatch.syspath_prepend(info.parent)


GREETER = """
import click
from instyle_core import hookimpl

@hookimpl
def instyle_commands():
    say = lambda: click.echo("hello")
    return [click.Command("greet", callback=say), click.Command("segment", callback=say)]
"""


@pytest.mark.usefixtures("greeter")
def test_a_plugin_adds_a_command(studio: Studio) -> None:
    """In a process of its own: the commands of plugins are looked up once in a process."""
    with start("greet", folder=studio.folder) as process:
        assert process.communicate(timeout=60) == ("hello\n", "")


@pytest.mark.usefixtures("greeter")
def test_a_command_of_a_plugin_never_takes_the_place_of_one_of_instyle(instyle: Command) -> None:
    assert "Find objects in IMAGE" in instyle("segment", "--help").out
    (failure,) = json.loads(instyle("plugins", "list", "--json").out)["failures"]
    assert failure["distribution"] == "greeter 1.0"
    assert failure["reason"] == "the command 'segment' is instyle's own"
