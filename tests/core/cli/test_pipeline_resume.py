"""``instyle pipeline run --resume``, with real signals to real processes."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from instyle_core.config import plan
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.forks import Forked, fork
from tests.core.helpers.studio import Studio, listing, noise, save

#: At its third evaluation: Ctrl-C from within, which stops at once.
HASTY = [{"use": "tint"}, {"use": "fault", "kind": "interrupt", "at": 3}]


def artifacts(studio: Studio) -> dict[str, bytes]:
    found = listing(studio.folder / "out.png.run")
    found["out.png"] = (studio.folder / "out.png").read_bytes()
    return {name: data for name, data in found.items() if name.endswith((".png", ".csv"))}


def strike(process: Forked, number: signal.Signals) -> tuple[str, str]:
    """Send a signal once a step is told; standard output and error."""
    lines = []
    for text in process.stderr:
        lines.append(text)
        if text.startswith("painting: "):
            process.send_signal(number)
            break
    out, err = process.communicate()
    return out, "".join(lines) + err


def command_of(err: str) -> list[str]:
    """The command that an interrupted run tells to go on with."""
    last = err.splitlines()[-1]
    assert last.startswith("  the best so far is in ")
    program, *arguments = shlex.split(last.partition("; go on with `")[2].removesuffix("`"))
    assert program == "instyle"
    return arguments


@pytest.mark.parametrize(
    ("number", "use", "steps"),
    [
        (signal.SIGINT, "lbfgs", 60),  # a step takes as long as several of Adam
        (signal.SIGTERM, "adam", 200),
        (signal.SIGHUP, "adam", 200),
        (signal.SIGXCPU, "adam", 200),
    ],
)
def test_a_real_interrupt_and_a_real_resume(
    instyle: Command, studio: Studio, number: signal.Signals, use: str, steps: int
) -> None:
    save(studio.folder / "style.png", noise(30, 40, seed=3))
    spec = studio.spec(
        optimizer={"use": use, "steps": steps, "scales": 2},
        losses=[{"use": "inks"}, {"use": "tint"}],
        snapshots=50,
    )
    instyle("pipeline", "run", spec)
    expected = artifacts(studio)
    shutil.rmtree(studio.folder / "out.png.run")
    (studio.folder / "out.png").unlink()

    process = fork("pipeline", "run", spec, folder=studio.folder)
    out, err = strike(process, number)  # after the first step, which prints a line
    assert process.returncode == 130, err
    assert out == f"{studio.folder / 'out.png'}\n"
    assert "error: interrupted\n" in err
    assert "Traceback" not in err
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text("utf-8"))
    done = record["losses"]["object-0"]["step"]
    assert 1 <= done < steps
    assert artifacts(studio) != expected

    process = fork(*command_of(err), folder=studio.folder)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out == f"{studio.folder / 'out.png'}\n"
    assert artifacts(studio) == expected
    # The first step tells nothing of the others, and is not told.
    assert f"painting: {min(done + 2, steps)}/{steps}" in err
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text("utf-8"))
    assert record["resumed"] == [{"object": "object-0", "step": done}]


def interrupted(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch, *options: str, **changes: Any
) -> list[str]:
    """Interrupt a run after its second step; the command to go on with."""
    from instyle_toy.parts import Tint

    calls = []
    original = Tint.__call__

    def call(self: Any, view: Any) -> Any:
        calls.append(view)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(self, view)

    with monkeypatch.context() as patch:
        patch.setattr(Tint, "__call__", call)
        done = instyle("pipeline", "run", studio.spec(**changes), *options)
    assert done.status == 130
    assert len(calls) == 2
    return command_of(done.err)


def test_by_the_spec_or_by_the_record(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for own in (True, False):
        command = interrupted(instyle, studio, monkeypatch)
        assert command == [
            "pipeline",
            "run",
            str(studio.folder / "out.png.run/run.json"),
            "--resume",
        ]
        if not own:
            command[2] = str(studio.folder / "spec.yaml")
        done = instyle(*command)
        assert (done.status, done.out) == (0, f"{studio.folder / 'out.png'}\n")
        steps = [line for line in done.err.splitlines() if line.startswith("painting: 4/4 ")]
        assert len(steps) == 1


def test_the_command_fits_however_the_spec_was_changed(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--set", "size=48", "--seed", "5", "--output", "my own.png")
    command = interrupted(instyle, studio, monkeypatch, *options)
    assert command[2] == str(studio.folder / "my own.png.run" / "run.json")
    spec = ("pipeline", "run", studio.folder / "spec.yaml", "--resume", "--quiet")
    assert_error(instyle(*spec), 2, "there is no run here", str(studio.folder / "out.png.run"))
    assert_error(instyle(*spec, *options[2:]), 2, "size was 48 and is 64")
    assert instyle(*command).out == f"{studio.folder / 'my own.png'}\n"
    assert_error(instyle(*command, "--quiet"), 2, "finished")


def test_as_json(instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    command = interrupted(instyle, studio, monkeypatch)
    done = instyle(*command, "--json")
    assert done.status == 0
    document = json.loads(done.out)
    assert document["status"] == "finished"
    assert document["resumed"] == [{"object": "object-0", "step": 2}]


def test_where_it_stopped_within_a_step_no_command_is_told(
    instyle: Command, studio: Studio
) -> None:
    done = instyle("pipeline", "run", studio.spec(losses=HASTY))
    assert done.status == 130
    last = done.err.splitlines()[-1]
    assert f"the best so far is in {studio.folder / 'out.png'}" in last
    assert "cannot be resumed" in last
    assert "--resume" not in last
    command = ("pipeline", "run", studio.folder / "spec.yaml", "--resume", "--quiet")
    assert_error(instyle(*command), 2, "within a step", str(studio.folder / "out.png.run"))


def test_a_diverged_run_tells_no_command(instyle: Command, studio: Studio) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "at": 3}]
    done = instyle("pipeline", "run", studio.spec(losses=losses))
    assert done.status == 1
    assert "resume" not in done.err


def test_the_demo_tells_the_command_too(
    instyle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(document: Any) -> None:
        document.set("optimizer.steps=3")
        document.set("size=64")

    from instyle_core import pipeline
    from instyle_core.events import Event, Step

    load, run = plan.load_plan, pipeline.run

    def stopped(made: Any, observer: Any, **options: Any) -> Any:
        def on_event(event: Event) -> None:
            observer(event)
            if isinstance(event, Step) and event.step == 2:
                raise KeyboardInterrupt

        return run(made, on_event, **options)

    with monkeypatch.context() as patch:
        patch.setattr(plan, "load_plan", lambda path, *_: load(path, change))
        patch.setattr(pipeline, "run", stopped)
        done = instyle("demo", "-o", tmp_path / "demo")
    record = tmp_path / "demo" / "cat-swirls.png.run" / "run.json"
    assert done.status == 130
    assert command_of(done.err) == ["pipeline", "run", str(record), "--resume"]
    assert json.loads(record.read_text("utf-8"))["state"]
