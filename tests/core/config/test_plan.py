"""From a file to a plan, with the plugins that are installed: all errors, each with its line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from instyle_core import load_plan
from instyle_core.config import plan
from instyle_core.errors import InputError, SpecError
from tests.core.helpers.commands import Command
from tests.core.helpers.specs import RICH, SPEC, SPECS, load

ROOT = Path(__file__).parents[3]

#: Each error of a line, after the mark.
BAD = """\
version: 2                      # ! version: should be 1; it is 2
content: foto.jpg               # ! content: no such file: {folder}/foto.jpg
output: out.gif                 # ! output: '.gif' names no picture format that can be written
sieze: 512                      # ! sieze: unknown key 'sieze'; did you mean 'size'?
size: 1e6                       # ! size: should be at most 16384; it is 1000000
seed: 1
objects:
  - select: {klass: cat}        # ! objects.0: missing key 'style' ! objects.0.select.klass: unknown
    losses:
      - {use: contents}         # ! objects.0.losses.0.use: no loss is called 'contents'
      - use: style
        layers:
          - relu1_1
          - relu9_9             # ! objects.0.losses.1.layers.1: the extractor 'vgg19' has no layer
        layer_weights: [1, 1]
      - use: style
        layer_weights:          # ! objects.0.losses.2.layer_weights: 2 weights for 5 layers
          - 1
          - 2
        wieght: 3               # ! objects.0.losses.2.wieght: unknown key 'wieght'; did you mean
  - style: {images: [painting.jpg], weights: [1, 2]}     # ! objects.1.style.weights: should be one
    segmenter: {use: grabcut, iterations: many}          # ! objects.1.segmenter.iterations: should
    merger:                     # ! objects.1.merger: missing key 'use', the name of the merger
      width: 3
optimizer:
  use: adam
  steps: 0                      # ! optimizer.steps: should be at least 1; it is 0
  stpes: 10                     # ! optimizer.stpes: unknown key 'stpes'; did you mean 'steps'?
losses:                         # ! losses: no loss has a weight above 0
  - {use: content, weight: 0}
seed: 2                         # ! the key 'seed' is there twice
device: gpu                     # ! device: should be 'auto', 'cpu', 'cuda[:N]', 'mps' or 'xpu[:N]'
"""


# --- every error at once --------------------------------------------------------------------------


def expected_problems(folder: Path) -> list[tuple[int, str]]:
    """The line and the beginning of each error, by the marks."""
    return sorted(
        (number, what.strip().replace("{folder}", str(folder)))
        for number, line in enumerate(BAD.splitlines(), start=1)
        for what in line.split(" ! ")[1:]
    )


def seen(where_and_what: list[tuple[str, str]], expected: list[tuple[int, str]]) -> None:
    """Each error is told once, in its line, and the lines come in order."""
    lines = [int(where.rpartition(":")[2]) for where, _ in where_and_what]
    assert lines == sorted(lines)
    found = sorted(zip(lines, (what for _, what in where_and_what), strict=True))
    assert [line for line, _ in found] == [line for line, _ in expected]
    for (_, what), (_, beginning) in zip(found, expected, strict=True):
        assert what.startswith(beginning)


def test_all_errors_are_told_at_once(folder: Path) -> None:
    expected = expected_problems(folder)
    assert len(expected) == 19
    with pytest.raises(SpecError) as caught:
        load(folder, BAD)
    told = [(problem.where or "", problem.what) for problem in caught.value.problems]
    assert all(where.startswith(f"{folder}/a.yaml:") for where, _ in told)
    seen(told, expected)
    assert str(caught.value).startswith("the spec has 19 errors\n")


def test_the_command_line_tells_them_all(
    folder: Path, instyle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.yaml").write_text(BAD)
    done = instyle("pipeline", "validate", "a.yaml")
    assert done.status == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    errors = re.findall(r"^error: (a\.yaml:\d+): (.*)$", done.err, flags=re.MULTILINE)
    seen(errors, expected_problems(folder))
    hints = [line for line in done.err.splitlines() if not line.startswith("error: ")]
    assert hints == ["  add one, such as `style: painting.jpg`"]


HEAVY = ("torch", "torchvision", "kornia", "cv2", "scipy", "timm")


@pytest.mark.parametrize(("text", "status"), [(SPEC, 0), (BAD, 2)])
def test_validation_imports_nothing_heavy(folder: Path, text: str, status: int) -> None:
    (folder / "a.yaml").write_text(text)
    code = f"""
import sys
from instyle_core.cli import main
try:
    main(["pipeline", "validate", "a.yaml"])
except SystemExit as end:
    print("status", end.code)
print("heavy", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-2:] == [f"status {status}", "heavy []"]
    assert done.stderr == "" if status == 0 else done.stderr.startswith("error: a.yaml:1: ")


@pytest.mark.parametrize("data", [b"", b"- 1\n", b"a: [1\n", b"a:\n\tb: 1\n", b"\x89PNG\r\n\x00"])
def test_files_that_are_no_spec(folder: Path, data: bytes) -> None:
    (folder / "a.yaml").write_bytes(data)
    with pytest.raises(InputError) as caught:
        plan.load_plan(folder / "a.yaml")
    assert caught.value.exit_status == 2
    assert f"{folder}/a.yaml" in str(caught.value)
    assert "Error" not in str(caught.value)


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_a_dump_is_a_spec_with_the_same_meaning(folder: Path, text: str) -> None:
    made = load(folder, text)
    dumped = made.dump()
    assert json.loads(json.dumps(dumped)) == dumped
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    again = load(elsewhere, json.dumps(dumped, indent=2, ensure_ascii=False), name="spec.json")
    assert again.dump() == dumped
    spelled_out = {"extractors": again.spec.extractors, "objects": again.spec.objects}
    assert again.spec == made.spec.model_copy(update=spelled_out)
    assert (again.objects, again.whole) == (made.objects, made.whole)
    assert again.extractors == made.extractors
    assert set(again.inputs) == set(made.inputs)


def test_a_dump_spells_everything_out(folder: Path) -> None:
    dumped = load(folder, SPEC).dump()
    assert dumped["content"] == str(folder / "photo.jpg")
    assert dumped["style"] == {"images": [str(folder / "painting.jpg")], "scale": 1.0}
    preset = yaml.safe_load(plan.preset_text("default"))
    assert preset["merger"].items() <= dumped["merger"].items()
    for short, full in zip(preset["losses"], dumped["losses"], strict=True):
        assert short.items() <= full.items()
        assert full["weight"] == short["weight"]
    assert dumped["extractors"]["vgg19"]["use"] == "vgg19"
    assert dumped["optimizer"]["steps"] == 200


def test_the_record_of_a_run_is_a_spec(folder: Path) -> None:
    made = load(folder, RICH)
    record = {"instyle": "0.1.0", "status": "finished", "spec": made.dump(), "seconds": {"a": 1}}
    (folder / "out.png.run").mkdir()
    again = load(folder / "out.png.run", json.dumps(record, indent=2), name="run.json")
    assert again.dump() == made.dump()


def test_the_record_of_a_run_of_0_1_0_moves_pixels_and_tells_that_it_differs(folder: Path) -> None:
    spec = load(folder, RICH).dump()
    del spec["optimizer"]["parametrization"]
    (folder / "out.png.run").mkdir()
    text = json.dumps({"instyle": "0.1.0", "spec": spec})
    again = load(folder / "out.png.run", text, name="run.json")
    assert again.spec.optimizer.parametrization == "pixels"
    assert plan.OLDER in again.notes
    assert plan.OLDER not in load(folder, RICH).notes


def test_a_plan_from_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    keys = {"version": 1, "content": "photo.jpg", "style": "painting.jpg", "output": "out.png"}
    (folder / "spec.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    made = load_plan(keys)
    assert made.spec.content == folder / "photo.jpg"
    assert made.dump() == load_plan(folder / "spec.yaml").dump() == load_plan("spec.yaml").dump()


def test_errors_in_the_record_of_a_run_have_its_lines(folder: Path) -> None:
    record = {"instyle": "0.1.0", "spec": load(folder, SPEC).dump()}
    record["spec"]["content"] = "/nowhere/photo.jpg"
    record["spec"]["seeds"] = 0
    text = json.dumps(record, indent=2)
    lines = text.splitlines()
    (folder / "run.json").write_text(text)
    with pytest.raises(SpecError) as caught:
        plan.load_plan(folder / "run.json")
    for key, problem in zip(("content", "seeds"), caught.value.problems, strict=True):
        number = next(n for n, line in enumerate(lines, start=1) if f'"{key}":' in line)
        assert problem.where == f"{folder}/run.json:{number}"


@pytest.mark.parametrize("spec", [None, 3, [1]])
def test_a_record_without_a_spec(folder: Path, spec: Any) -> None:
    (folder / "run.json").write_text(json.dumps({"instyle": "0.1.0", "spec": spec}))
    with pytest.raises(SpecError, match="a spec should be keys with values"):
        plan.load_plan(folder / "run.json")


def test_a_plan_knows_what_it_will_need(folder: Path) -> None:
    made = load(folder, RICH)
    names = [(use.plugin.kind, use.plugin.name) for use in made.uses]
    assert names.count(("segmenter", "mask")) == 2
    assert names.count(("extractor", "vgg19")) == 2  # `mine`, and the one by its own name
    assert set(made.extractors) == {"mine", "vgg19"}
    assert len(made.pretrained) == len(set(made.pretrained))
    assert made.pretrained == made.extractors["mine"].params.pretrained()
    assert made.inputs == tuple(
        folder / name for name in ("photo.jpg", "other.jpg", "painting.jpg")
    )


def test_presets_and_examples_are_specs(folder: Path) -> None:
    """The pictures of presets are the user's; those of examples and the demo are there."""
    for name in plan.PRESETS:
        assert load(folder, plan.preset_text(name)).spec.version == 1
    for path in [
        *ROOT.glob("docs/examples/*.yaml"),
        ROOT / "instyle_core/demo/demo.yaml",
    ]:
        if "inks" not in path.name:  # needs a package that is not installed
            assert plan.load_plan(path).spec.version == 1


def test_a_loss_of_weight_zero_is_off(folder: Path) -> None:
    losses = "losses: [{use: tv, weight: 1}, {use: style, weight: 0}]\n"
    made = load(folder, SPEC + losses)
    assert made.whole is not None
    assert [use.plugin.name for use in made.whole.losses] == ["tv"]
    # So that its network and the network's weights are not called for either.
    assert made.extractors == {}
    assert made.pretrained == ()
    assert [loss["use"] for loss in made.dump()["losses"]] == ["tv", "style"]
