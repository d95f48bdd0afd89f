"""The command line: what is printed where, and the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from instyle_core import plan
from instyle_core.cli import main
from instyle_core.events import Event
from instyle_core.plan import PRESETS
from tests.core.studio import HEIGHT, TOY, WIDTH, Studio, listing, noise, read, rectangle, save

ESCAPE = "\x1b"


@dataclass
class Done:
    """What a command came to: its exit status and what it printed."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(tmp_path)
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def instyle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process. There is no terminal, whatever the tests run in."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(int(caught.value.code or 0), printed.out, printed.err)

    return run


def start(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    """Start ``instyle`` in a process of its own, with the toy plugin installed."""
    code = "import sys; from instyle_core.cli import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_error(done: Done, status: int, *words: str, hint: bool = True) -> None:
    """What is wrong, where and what to do, on standard error alone."""
    assert done.status == status
    assert done.out == ""
    assert ESCAPE not in done.err
    assert "Traceback" not in done.err
    assert "should not happen" not in done.err
    first, *rest = done.err.splitlines()
    assert first.startswith("error: ")
    for word in words:
        assert word in done.err
    if hint:
        assert rest
        assert all(line.startswith(("  ", "error: ")) for line in rest)


# --- help -----------------------------------------------------------------------------------------

COMMANDS = [
    "",
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


# --- pipeline run: what is printed ----------------------------------------------------------------


def test_run_prints_the_picture_and_tells_the_rest_on_standard_error(
    instyle: Command, studio: Studio
) -> None:
    done = instyle("pipeline", "run", studio.spec())
    assert done.status == 0
    assert done.out == f"{studio.folder / 'out.png'}\n"
    assert studio.output.shape == (HEIGHT, WIDTH, 3)
    assert ESCAPE not in done.err
    lines = done.err.splitlines()
    assert all(lines)  # none is empty
    assert any(line.startswith("painting: 4/4 ") and "tint" in line for line in lines)
    assert lines[-1].startswith("finished after ")


def test_run_as_json(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "run", studio.spec(), "--json")
    assert done.status == 0
    document = json.loads(done.out)
    assert document.pop("output") == str(studio.folder / "out.png")
    assert document.pop("folder") == str(studio.folder / "out.run")
    assert document == json.loads((studio.folder / "out.run" / "run.json").read_text("utf-8"))
    assert document["status"] == "finished"
    assert ESCAPE not in done.out + done.err


def test_notes_and_progress_stay_out_of_the_json(instyle: Command, studio: Studio) -> None:
    save(
        studio.folder / "mask.png", np.maximum(rectangle((2, 2, 9, 9)), rectangle((20, 5, 40, 30)))
    )
    done = instyle("pipeline", "run", studio.spec(), "--json")
    json.loads(done.out)
    assert "note: 2 separate regions" in done.err


@pytest.mark.parametrize("option", ["--quiet", "-q"])
def test_quiet_prints_nothing(instyle: Command, studio: Studio, option: str) -> None:
    save(
        studio.folder / "mask.png", np.maximum(rectangle((2, 2, 9, 9)), rectangle((20, 5, 40, 30)))
    )
    done = instyle("pipeline", "run", studio.spec(), option)
    assert done == Done(0, "", "")
    assert (studio.folder / "out.png").is_file()


def test_quiet_json_is_json_alone(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "run", studio.spec(), "--json", "--quiet")
    assert (done.status, done.err) == (0, "")
    json.loads(done.out)


def test_quiet_does_not_hide_errors(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "run", studio.spec(size=1), "--quiet")
    assert_error(done, 2, "size", hint=False)


def test_on_a_terminal_there_is_a_bar_on_standard_error(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("TERM", "xterm")
    done = instyle("pipeline", "run", studio.spec())
    assert done.status == 0
    assert done.out == f"{studio.folder / 'out.png'}\n"
    assert f"{ESCAPE}[" in done.err
    assert "━━━" in done.err


# --- pipeline run: options ------------------------------------------------------------------------


def resolved(done: Done) -> dict[str, Any]:
    assert done.status == 0, done.err
    spec: dict[str, Any] = json.loads(done.out)["spec"]
    return spec


def test_options_change_the_spec(instyle: Command, studio: Studio) -> None:
    elsewhere = studio.folder / "elsewhere"
    elsewhere.mkdir()
    save(elsewhere / "other.png", noise(20, 20))
    os.chdir(elsewhere)
    done = instyle(
        *("pipeline", "run", studio.spec(), "--json", "--seed", "5", "--device", "cpu"),
        *("--output", "mine.png", "--set", "optimizer.steps=2", "--set", "size=32"),
        *("--set", "objects.0.style=other.png", "--set", "losses.0.colour=[0, 0, 1]"),
    )
    spec = resolved(done)
    # What comes from the command line is relative to the working directory.
    assert spec["output"] == str(elsewhere / "mine.png")
    assert spec["objects"][0]["style"]["images"] == [str(elsewhere / "other.png")]
    assert spec["content"] == str(studio.folder / "photo.png")
    assert (spec["seed"], spec["device"], spec["size"]) == (5, "cpu", 32)
    assert spec["optimizer"]["steps"] == 2
    assert spec["losses"][0]["colour"] == [0, 0, 1]
    assert (elsewhere / "mine.png").is_file()
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [
        (None, 80),
        ({"use": "adam"}, 80),
        ({"use": "lbfgs", "steps": 500}, 80),
        ({"use": "adam", "steps": 3}, 3),
    ],
)
@pytest.mark.parametrize(("size", "expected"), [(None, 256), (1024, 256), (64, 64)])
def test_preview_is_small_quick_and_a_picture_of_its_own(
    studio: Studio,
    instyle: Command,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: Any,
    steps: int,
    size: int | None,
    expected: int,
) -> None:
    plans = []

    def carry_out(made: plan.Plan, **_: Any) -> None:
        plans.append(made.spec)

    # By name, `instyle_core.cli.pipeline` is the group of commands.
    monkeypatch.setattr(sys.modules["instyle_core.cli.pipeline"], "carry_out", carry_out)
    done = instyle("pipeline", "run", studio.spec(size=size, optimizer=optimizer), "--preview")
    assert done.status == 0, done.err
    (spec,) = plans
    assert spec.size == expected
    assert spec.optimizer.steps == steps
    assert spec.optimizer.use == (optimizer or {"use": "adam"})["use"]
    assert spec.output == studio.folder / "out-preview.png"


def test_preview_leaves_the_real_picture_alone(instyle: Command, studio: Studio) -> None:
    instyle("pipeline", "run", studio.spec())
    before = listing(studio.folder / "out.run")
    done = instyle("pipeline", "run", studio.spec(), "--preview")
    assert done.out == f"{studio.folder / 'out-preview.png'}\n"
    assert (studio.folder / "out-preview.run").is_dir()
    assert listing(studio.folder / "out.run") == before


def test_preview_of_an_output_from_the_command_line(instyle: Command, studio: Studio) -> None:
    elsewhere = studio.folder / "elsewhere"
    elsewhere.mkdir()
    os.chdir(elsewhere)
    common = ("pipeline", "run", studio.spec(), "--preview")
    assert instyle(*common, "--set", "output=a.png").out == f"{elsewhere / 'a-preview.png'}\n"
    assert instyle(*common, "--output", "b.png").out == f"{elsewhere / 'b.png'}\n"


def test_a_run_is_repeated_from_its_record(instyle: Command, studio: Studio) -> None:
    instyle("pipeline", "run", studio.spec(start="noise", seed=3))
    first = (studio.folder / "out.png").read_bytes()
    (studio.folder / "spec.yaml").unlink()
    record = studio.folder / "out.run" / "run.json"
    done = instyle("pipeline", "run", record, "--output", "again.png")
    assert done.status == 0
    assert (studio.folder / "again.png").read_bytes() == first
    assert instyle("pipeline", "run", record).out == f"{studio.folder / 'out.png'}\n"
    assert (studio.folder / "out.png").read_bytes() == first


# --- pipeline run: what goes wrong ----------------------------------------------------------------


def test_all_errors_of_a_spec_at_once_with_their_lines(instyle: Command, studio: Studio) -> None:
    spec = studio.folder / "spec.yaml"
    spec.write_text(
        "version: 1\n"
        "content: nowhere.png\n"
        "output: out.png\n"
        "style: style.png\n"
        "sise: 64\n"
        "segmenter: {use: stencill, path: mask.png}\n"
        "losses: [{use: tint}]\n"
        "optimizer: {use: adam, steps: -3}\n"
    )
    for command in ("run", "validate"):
        done = instyle("pipeline", command, spec)
        assert_error(done, 2, "nowhere.png", "'size'", "'stencil'", hint=False)
        lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
        places = [line.removeprefix("error: ").split(": ")[0] for line in lines]
        assert places == [f"{spec}:{number}" for number in (2, 5, 6, 8)]
    assert not (studio.folder / "out.png").exists()


def test_a_spec_that_is_not_there(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "run", "no-such.yaml")
    assert_error(done, 2, "no-such.yaml", "instyle pipeline init")


def test_an_error_while_running_has_what_where_and_what_to_do(
    instyle: Command, studio: Studio
) -> None:
    save(studio.folder / "mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    done = instyle("pipeline", "run", studio.spec(), "--quiet")
    assert_error(done, 2, "objects.0: no object was found")
    assert instyle("pipeline", "run", studio.spec(), "--json", "--quiet") == done


def test_missing_weights(instyle: Command, studio: Studio) -> None:
    losses = [{"use": "content", "extractor": "heavy", "layers": ["cells"]}]
    done = instyle("pipeline", "run", studio.spec(losses=losses), "--quiet")
    assert_error(done, 3, "toy-missing", "no_such_package")


FAULTS = [("nan", 1, "diverged"), ("interrupt", 130, "interrupted")]


@pytest.mark.parametrize(("kind", "status", "name"), FAULTS)
def test_stopped_early_the_best_so_far_is_kept(
    instyle: Command, studio: Studio, kind: str, status: int, name: str
) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": kind, "at": 3}]
    done = instyle("pipeline", "run", studio.spec(losses=losses))
    assert done.status == status
    assert done.out == f"{studio.folder / 'out.png'}\n"
    assert (studio.output != studio.photo).any()
    last = done.err.splitlines()[-2:]
    assert last[0].startswith("error: ")
    assert f"{studio.folder / 'out.png'}" in last[1]
    assert ("'fault'" in last[0]) == (kind == "nan")
    assert "Traceback" not in done.err

    done = instyle("pipeline", "run", studio.spec(losses=losses), "--json")
    assert done.status == status
    assert json.loads(done.out)["status"] == name


@pytest.mark.parametrize(("kind", "status", "name"), FAULTS)
def test_stopped_before_there_was_anything(
    instyle: Command, studio: Studio, kind: str, status: int, name: str
) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": kind, "at": 1}]
    done = instyle("pipeline", "run", studio.spec(losses=losses), "--quiet")
    assert_error(done, status, hint=False)
    assert not (studio.folder / "out.png").exists()
    assert not (studio.folder / "out.run").exists()


def test_ctrl_c_while_the_object_is_looked_for(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instyle_toy.parts import Stencil

    def segment(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stencil, "segment", segment)
    before = listing(studio.folder)
    done = instyle("pipeline", "run", studio.spec(), "--quiet")
    assert (done.status, done.out) == (130, "")
    assert "interrupted" in done.err
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before


def test_a_bug_is_no_traceback_unless_asked_for(instyle: Command, studio: Studio) -> None:
    spec = studio.spec(merger={"use": "clumsy"})
    done = instyle("pipeline", "run", spec, "--quiet")
    assert done.status == 1
    assert done.out == ""
    assert "the merger dropped it" in done.err
    assert "Traceback" not in done.err
    assert "--debug" in done.err
    for arguments in (["--debug", "pipeline", "run"], ["pipeline", "run", "--debug"]):
        with pytest.raises(RuntimeError, match="the merger dropped it"):
            main([*arguments, str(spec), "--quiet"])


def test_ctrl_c_saves_the_best_so_far(studio: Studio) -> None:
    """A real signal to a real process, in the middle of a run that would take hours."""
    spec = studio.spec(optimizer={"use": "adam", "steps": 100_000, "scales": 1})
    process = start("pipeline", "run", spec, folder=studio.folder)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:  # each is there when its step is done
        lines.append(line)
        if line.startswith("painting: "):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    err = "".join(lines) + err
    assert process.returncode == 130, err
    assert out == f"{studio.folder / 'out.png'}\n"
    assert "Traceback" not in err
    assert f"the best so far is in {studio.folder / 'out.png'}" in err
    assert ESCAPE not in err
    outside = rectangle((20, 10, 41, 31)) == 0
    np.testing.assert_array_equal(studio.output[outside], studio.photo[outside])
    record = json.loads((studio.folder / "out.run" / "run.json").read_text("utf-8"))
    assert record["status"] == "interrupted"
    assert 1 <= record["losses"]["object-0"]["step"] < 100_000
    names = {path.name for path in studio.folder.iterdir()}
    assert names == {"photo.png", "style.png", "mask.png", "spec.yaml", "out.png", "out.run"}


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


# --- pipeline validate, init, schema --------------------------------------------------------------


def test_validate(instyle: Command, studio: Studio) -> None:
    spec = studio.spec(objects=[{}, {}])
    done = instyle("pipeline", "validate", spec)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{spec}: fine (2 objects of photo.png)\n"
    done = instyle("pipeline", "validate", spec, "--set", "objects.1.merger={use: clumsy}")
    assert done.status == 0
    assert_error(
        instyle("pipeline", "validate", spec, "--set", "objects.1.merger.use=clumsi"),
        2,
        "--set objects.1.merger.use=clumsi: ",
        hint=False,
    )
    assert not (studio.folder / "out.png").exists()


def test_validate_a_whole_picture(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "validate", studio.spec(objects=None))
    assert "the whole picture of photo.png" in done.out


def pictures_of(spec: Any) -> set[str]:
    """Every picture that a preset names for the user to replace."""
    found = {spec["content"]}
    for item in [spec, *spec.get("objects", [])]:
        style = item.get("style")
        if isinstance(style, dict):
            found |= set(style["images"])
        elif style:
            found.add(style)
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_once_their_pictures_are_there(
    instyle: Command, tmp_path: Path, preset: str
) -> None:
    path = tmp_path / "new.yaml"
    done = instyle("pipeline", "init", "--preset", preset, "-o", path)
    assert (done.status, done.err) == (0, "")
    assert f"instyle pipeline run {path}" in done.out
    named = pictures_of(yaml.safe_load(path.read_text("utf-8")))
    assert len(named) >= 2
    # At first, all that is wrong is that they are missing.
    done = instyle("pipeline", "validate", path)
    assert_error(done, 2, *named, hint=False)
    assert done.err.count("error: ") == len(named)
    for name in named:
        save(tmp_path / Path(name).with_suffix(".png"), noise(8, 8)).rename(tmp_path / name)
    done = instyle("pipeline", "validate", path)
    assert done.status == 0, done.err


def test_init_does_not_overwrite(instyle: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("my work")
    done = instyle("pipeline", "init", "-o", path)
    assert_error(done, 2, str(path))
    assert path.read_text() == "my work"


def test_init_writes_to_standard_output(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "init", "-o", "-", "--preset", "draft")
    assert done.status == 0
    assert done.err == ""
    instyle("pipeline", "init", "--preset", "draft")  # to spec.yaml
    assert done.out == (studio.folder / "spec.yaml").read_text("utf-8")
    assert not (studio.folder / "-").exists()


def test_init_into_a_folder_that_is_not_there(instyle: Command, tmp_path: Path) -> None:
    done = instyle("pipeline", "init", "-o", tmp_path / "no" / "spec.yaml")
    assert_error(done, 1, str(tmp_path / "no" / "spec.yaml"))


def test_schema(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "schema")
    assert (done.status, done.err) == (0, "")
    schema = json.loads(done.out)
    assert {"content", "output", "objects", "losses", "optimizer"} <= set(schema["properties"])
    for name in ("stencil", "tint", "clumsy", "vgg19", "content", "style", "hard", "mask"):
        assert f'"{name}"' in done.out
    assert "colour" in done.out


# --- plugins and models ---------------------------------------------------------------------------


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
    assert "colour" in done.out
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


def test_models(instyle: Command, studio: Studio) -> None:
    done = instyle("models", "list", "--json")
    assert (done.status, done.err) == (0, "")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert rows["toy-missing"]["used_by"] == ["extractor heavy"]
    assert rows["toy-missing"]["path"] is None
    assert "toy-missing" in instyle("models", "list").out
    done = instyle("models", "path", "vgg19-oxford")
    assert Path(done.out.removesuffix("\n")).is_file()
    for command in ("path", "pull"):
        assert_error(instyle("models", command, "toy-missing"), 3, "no_such_package")
        assert_error(instyle("models", command, "toy-misssing"), 2, "toy-missing")


# --- demo -----------------------------------------------------------------------------------------


@pytest.fixture
def cheap_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's own spec, with fewer steps and pixels."""

    def change(document: Any) -> None:
        document.set("optimizer.steps=3")
        document.set("size=64")

    load = plan.load
    monkeypatch.setattr(plan, "load", lambda path, change=change: load(path, change))


@pytest.mark.usefixtures("cheap_demo")
def test_demo(instyle: Command, tmp_path: Path) -> None:
    folder = tmp_path / "my demo"
    done = instyle("demo", "-o", folder)
    assert done.status == 0, done.err
    output = Path(done.out.removesuffix("\n"))
    spec = yaml.safe_load((folder / "demo.yaml").read_text("utf-8"))
    assert output == folder / spec["output"]
    assert (output.with_suffix(".run") / "report.html").is_file()
    photo, painted = read(folder / spec["content"]), read(output)
    assert painted.shape == photo.shape
    changed = (painted != photo).any(axis=2)
    assert 0.05 < changed.mean() < 0.95
    assert ESCAPE not in done.err

    # What it left is a spec to play with, and the demo can be run again.
    assert instyle("pipeline", "validate", folder / "demo.yaml").status == 0
    assert instyle("demo", "-o", folder, "--quiet") == Done(0, "", "")


@pytest.mark.usefixtures("cheap_demo")
def test_the_demo_overwrites_nothing_of_yours(instyle: Command, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"my own cat")
    before = listing(tmp_path)
    assert_error(instyle("demo", "-o", tmp_path), 2, str(tmp_path / "cat.png"))
    assert listing(tmp_path) == before


def test_the_demo_needs_a_folder(instyle: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert instyle("demo", "-o", tmp_path / "file").status == 2
    done = instyle("demo", "-o", tmp_path / "file" / "below")
    assert done.status == 2
    assert "Traceback" not in done.err


# --- observers ------------------------------------------------------------------------------------


def test_carry_out_shows_the_events_of_the_run(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instyle_core.cli.render import RunDisplay

    seen: list[str] = []
    original = RunDisplay.__call__

    def watch(self: RunDisplay, event: Event) -> None:
        seen.append(type(event).__name__)
        original(self, event)

    monkeypatch.setattr(RunDisplay, "__call__", watch)
    instyle("pipeline", "run", studio.spec())
    assert seen[0] == "StageStarted"
    assert seen[-1] == "Finished"
    assert seen.count("Step") == 4
