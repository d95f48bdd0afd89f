"""``instyle pipeline run``: what is printed where, its options, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import numpy as np
import pytest

from instyle_core.config import plan
from instyle_core.events import Event
from tests.core.helpers.commands import ESCAPE, Command, Done, assert_error
from tests.core.helpers.forks import fork
from tests.core.helpers.studio import HEIGHT, WIDTH, Studio, listing, noise, rectangle, save

# --- what is printed ------------------------------------------------------------------------------


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
    # The first step, which prepares the size, tells nothing of the others.
    steps = [line for line in lines if line.startswith("painting: ") and "/4 " in line]
    assert steps[0].startswith("painting: 2/4 ")
    assert all(" left " in line for line in steps)
    assert lines[-1].startswith("finished after ")


def test_run_as_json(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "run", studio.spec(), "--json")
    assert done.status == 0
    document = json.loads(done.out)
    assert document.pop("output") == str(studio.folder / "out.png")
    assert document.pop("folder") == str(studio.folder / "out.png.run")
    assert document == json.loads((studio.folder / "out.png.run" / "run.json").read_text("utf-8"))
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


def test_colors_that_are_forced_are_no_reason_to_animate_a_log(
    instyle: Command, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("TERM", "xterm")
    save(
        studio.folder / "mask.png", np.maximum(rectangle((2, 2, 9, 9)), rectangle((20, 5, 40, 30)))
    )
    done = instyle("pipeline", "run", studio.spec())
    assert done.status == 0
    assert done.out == f"{studio.folder / 'out.png'}\n"
    assert f"{ESCAPE}[33mnote:{ESCAPE}[0m 2 separate regions" in done.err
    assert "━" not in done.err
    assert "\r" not in done.err


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


# --- options --------------------------------------------------------------------------------------


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
        *("--set", "objects.0.style=other.png", "--set", "losses.0.color=[0, 0, 1]"),
    )
    spec = resolved(done)
    # What comes from the command line is relative to the working directory.
    assert spec["output"] == "../mine.png"
    assert spec["objects"][0]["style"]["images"] == ["../other.png"]
    assert spec["content"] == "../../photo.png"
    assert (spec["seed"], spec["device"], spec["size"]) == (5, "cpu", 32)
    assert spec["optimizer"]["steps"] == 2
    assert spec["losses"][0]["color"] == [0, 0, 1]
    assert (elsewhere / "mine.png").is_file()
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [
        (None, 60),
        ({"use": "adam"}, 60),
        ({"use": "lbfgs", "steps": 500}, 60),
        ({"use": "adam", "steps": 3}, 3),
    ],
)
@pytest.mark.parametrize(("size", "expected"), [(None, 224), (1024, 224), (64, 64)])
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
    assert spec.shrink == 640
    assert spec.optimizer.steps == steps
    assert spec.optimizer.use == (optimizer or {"use": "adam"})["use"]
    assert spec.output == studio.folder / "out-preview.png"


def test_preview_leaves_the_real_picture_alone(instyle: Command, studio: Studio) -> None:
    instyle("pipeline", "run", studio.spec())
    before = listing(studio.folder / "out.png.run")
    done = instyle("pipeline", "run", studio.spec(), "--preview")
    assert done.out == f"{studio.folder / 'out-preview.png'}\n"
    assert (studio.folder / "out-preview.png.run").is_dir()
    assert listing(studio.folder / "out.png.run") == before


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
    record = studio.folder / "out.png.run" / "run.json"
    done = instyle("pipeline", "run", record, "--output", "again.png")
    assert done.status == 0
    assert (studio.folder / "again.png").read_bytes() == first
    assert instyle("pipeline", "run", record).out == f"{studio.folder / 'out.png'}\n"
    assert (studio.folder / "out.png").read_bytes() == first


# --- what goes wrong ------------------------------------------------------------------------------


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
    assert not (studio.folder / "out.png.run").exists()


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


def test_ctrl_c_saves_the_best_so_far(studio: Studio) -> None:
    """A real signal to a real process, in the middle of a run that would take hours."""
    spec = studio.spec(optimizer={"use": "adam", "steps": 100_000, "scales": 1})
    process = fork("pipeline", "run", spec, folder=studio.folder)
    lines = []
    for line in process.stderr:  # each is there when its step is done
        lines.append(line)
        if line.startswith("painting: "):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate()
    err = "".join(lines) + err
    assert process.returncode == 130, err
    assert out == f"{studio.folder / 'out.png'}\n"
    assert "Traceback" not in err
    assert f"the best so far is in {studio.folder / 'out.png'}" in err
    assert ESCAPE not in err
    outside = rectangle((20, 10, 41, 31)) == 0
    np.testing.assert_array_equal(studio.output[outside], studio.photo[outside])
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text("utf-8"))
    assert record["status"] == "interrupted"
    assert 1 <= record["losses"]["object-0"]["step"] < 100_000
    names = {path.name for path in studio.folder.iterdir()}
    assert names == {"photo.png", "style.png", "mask.png", "spec.yaml", "out.png", "out.png.run"}


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_a_checkpoint_is_a_number_of_seconds(
    instyle: Command, studio: Studio, seconds: str
) -> None:
    done = instyle("pipeline", "run", studio.spec(), "--checkpoint", seconds)
    assert done.status == 2
    assert "--checkpoint" in done.err
    assert not (studio.folder / "out.png").exists()
