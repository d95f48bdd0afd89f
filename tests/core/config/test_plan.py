"""From a file to a plan, with the plugins that are installed: all errors, each with its line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.config.schema import spec_schema
from instyle_core.errors import InputError, SpecError
from instyle_core.plugin.registry import Entry, Registry

ROOT = Path(__file__).parents[3]

SPEC = """\
version: 1
content: photo.jpg
output: out.png
style: painting.jpg
"""

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
device: gpu                     # ! device: should be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Validation looks whether files are there, not into them."""
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "painting.jpg", "other.jpg", "paintings/a.jpg"):
        (tmp_path / name).touch()
    return tmp_path


def load(folder: Path, text: str, *assignments: str, name: str = "a.yaml") -> plan.Plan:
    (folder / name).write_text(text, encoding="utf-8")

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)

    return plan.load(folder / name, change)


def problems(folder: Path, text: str, *assignments: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, text, *assignments)
    return [str(problem).replace(f"{folder}/a.yaml:", "") for problem in caught.value.problems]


def instyle(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from instyle_core.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


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


def test_the_command_line_tells_them_all(folder: Path) -> None:
    (folder / "a.yaml").write_text(BAD)
    done = instyle("pipeline", "validate", "a.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    errors = re.findall(r"^error: (a\.yaml:\d+): (.*)$", done.stderr, flags=re.MULTILINE)
    seen(errors, expected_problems(folder))
    hints = [line for line in done.stderr.splitlines() if not line.startswith("error: ")]
    assert hints == ["  add one, such as `style: painting.jpg`"]


HEAVY = ("torch", "torchvision", "kornia", "cv2", "scipy", "timm", "PIL", "numpy")


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
        plan.load(folder / "a.yaml")
    assert caught.value.exit_status == 2
    assert f"{folder}/a.yaml" in str(caught.value)
    assert "Error" not in str(caught.value)


# --- --set ----------------------------------------------------------------------------------------


def test_set_counts_paths_from_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder / "work"
    work.mkdir()
    (work / "here.jpg").touch()
    monkeypatch.chdir(work)
    made = load(
        folder,
        SPEC,
        "style={images: [here.jpg, ../other.jpg]}",
        "output=out.jpg",
        "start=here.jpg",
        "segmenter={use: mask, path: here.jpg}",
    )
    assert made.spec.content == folder / "photo.jpg"
    assert made.spec.style
    assert made.spec.style.images == [work / "here.jpg", folder / "other.jpg"]
    assert made.spec.output == work / "out.jpg"
    assert made.spec.start == work / "here.jpg"
    assert made.spec.segmenter.params.model_dump()["path"] == work / "here.jpg"
    assert problems(folder, SPEC, "style=painting.jpg") == [
        f"--set style=painting.jpg: style: no such file: {work}/painting.jpg"
    ]


def test_set_reaches_every_corner(folder: Path) -> None:
    text = SPEC + "objects:\n  - select: {class: cat}\n  - style: other.jpg\n"
    made = load(
        folder,
        text,
        "size=64",
        "seed=1e2",
        "optimizer.use=lbfgs",
        "optimizer.steps=7",
        "objects.0.select.class=dog",
        "objects.1.losses.0={use: content, weight: 2}",
        "objects.2={select: {point: [1, 2]}}",
        "extractors.mine={use: vgg19, pooling: average}",
        "merger=hard",
    )
    assert (made.spec.size, made.spec.seed) == (64, 100)
    assert (made.spec.optimizer.use, made.spec.optimizer.steps) == ("lbfgs", 7)
    assert [item.select.class_name for item in made.objects] == ["dog", None, None]
    assert made.objects[2].select.point == (1, 2)
    assert [(use.plugin.name, use.weight) for use in made.objects[1].losses] == [("content", 2)]
    assert {item.merger.plugin.name for item in made.objects} == {"hard"}


def test_errors_of_set_join_those_of_the_file(folder: Path) -> None:
    found = problems(folder, SPEC + "sede: 1\n", "size=big", "objects.3.style=x", "nonsense")
    assert found == [
        "--set objects.3.style=x: 'objects' has no entry '3' "
        "(the spec has 0 there, counted from 0)",
        "--set nonsense: this is not of the form KEY=VALUE "
        "(for example --set objects.0.style=painting.jpg)",
        "--set size=big: size: should be a whole number; it is 'big'",
        "5: sede: unknown key 'sede'; did you mean 'seed'?",
    ]


def test_set_on_the_command_line(folder: Path) -> None:
    (folder / "a.yaml").write_text(SPEC.replace("style: painting.jpg\n", ""))
    arguments = ("pipeline", "validate", "a.yaml", "--set")
    done = instyle(*arguments, "objects=[{style: other.jpg}]", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a.yaml: fine (1 object of photo.jpg)\n"
    done = instyle(*arguments, "style=[", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --set style=[: this is no YAML: ")


# --- inputs are never written ---------------------------------------------------------------------

INPUTS = {
    "content": "photo.jpg",
    "style": "painting.jpg",
    "start": "start.jpg",
    "the segmenter's mask": "mask.png",
}


@pytest.fixture
def busy(folder: Path) -> Path:
    """A folder with a file for each input of `BUSY`."""
    for name in INPUTS.values():
        (folder / name).touch()
    return folder


BUSY = """\
version: 1
content: photo.jpg
style: painting.jpg
start: start.jpg
objects:
  - segmenter: {use: mask, path: mask.png}
"""


def refused(folder: Path, output: str) -> str:
    (problem,) = problems(folder, f"{BUSY}output: {output}\n")
    return problem


@pytest.mark.parametrize("source", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("way", ["itself", "folder", "symlink", "hard link"])
def test_the_output_is_no_input(busy: Path, source: str, way: str) -> None:
    output = Path("other" + Path(source).suffix)
    (busy / output).unlink(missing_ok=True)
    if way == "itself":
        output = Path(source)
    elif way == "folder":
        (busy / "link").symlink_to(busy)
        output = Path("link", source)
    elif way == "symlink":
        (busy / output).symlink_to(source)
    else:
        os.link(busy / source, busy / output)
    said = "7: output: the spec reads this picture, so choose another name: "
    assert refused(busy, str(output)) == f"{said}{busy / source}"


def test_the_output_may_be_there_already(busy: Path) -> None:
    assert load(busy, f"{BUSY}output: other.jpg\n").spec.output == busy / "other.jpg"


def test_the_output_may_be_written_through_a_link(busy: Path) -> None:
    (busy / "real").mkdir()
    (busy / "out.png").symlink_to("real/result.png")
    made = load(busy, f"{BUSY}output: out.png\n")
    assert made.spec.output == busy / "real" / "result.png"
    assert made.folder == busy / "real" / "result.run"


@pytest.mark.parametrize("inside", ["", "object-0"])
def test_the_folder_of_the_run_holds_no_input(busy: Path, inside: str) -> None:
    kept = busy / "out.run" / inside
    kept.mkdir(parents=True)
    (busy / "start.jpg").rename(kept / "start.jpg")
    (busy / "start.jpg").symlink_to(kept / "start.jpg")
    problem = refused(busy, "out.png")
    assert problem.startswith(f"7: output: the run would replace the folder {busy}/out.run, and ")
    assert "reads start.jpg from it" in problem
    assert load(busy, f"{BUSY}output: out2.png\n").folder == busy / "out2.run"


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("out.bmp", "'.bmp' names no picture format that can be written; use one of .png .jpg"),
        ("out", "a name without a suffix names no picture format that can be written; use one"),
        ("missing/out.png", "there is no folder {folder}/missing; create it, or choose another"),
        ("folder.png", "this is a folder, not a file; name a file in it"),
        (
            "photo.jpg/out.png",
            "there is no folder {folder}/photo.jpg; create it, or choose another",
        ),
    ],
)
def test_outputs_that_cannot_be_written(busy: Path, output: str, what: str) -> None:
    (busy / "folder.png").mkdir()
    problem = refused(busy, output)
    assert problem.startswith(f"7: output: {what}".replace("{folder}", str(busy)))


# --- there and back -------------------------------------------------------------------------------

RICH = """\
version: 1
content: photo.jpg
output: out.webp
segmenter: {use: mask, path: painting.jpg, invert: true}
style: {images: [painting.jpg, other.jpg], weights: [2, 1e-3], scale: 0.5}
extractors: {mine: {use: vgg19, pooling: average}, unused: vgg19}
losses:
  - {use: content, weight: 1e-7, extractor: mine, layers: [conv4_2]}
  - {use: style, weight: 12345678.9, layer_weights: [1, 2, 3, 4, 5]}
  - tv
objects:
  - select: {class: 'no', point: [1, 2], box: [0, 0, 9, 9], instance: 3}
  - {style: other.jpg, merger: {use: feather, matte: probability}}
optimizer: {use: lbfgs, steps: 3, scales: 2}
size: 100
margin: 0.25
start: other.jpg
seed: 4294967295
device: cuda:1
precision: bfloat16
snapshots: 5
max_megapixels: 0.5
"""

SPECS = {
    **{f"preset {name}": plan.preset_text(name) for name in plan.PRESETS},
    "short": SPEC,
    "rich": RICH,
}


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
    (folder / "out.run").mkdir()
    again = load(folder / "out.run", json.dumps(record, indent=2), name="run.json")
    assert again.dump() == made.dump()


def test_errors_in_the_record_of_a_run_have_its_lines(folder: Path) -> None:
    record = {"instyle": "0.1.0", "spec": load(folder, SPEC).dump()}
    record["spec"]["content"] = "/nowhere/photo.jpg"
    record["spec"]["seeds"] = 0
    text = json.dumps(record, indent=2)
    lines = text.splitlines()
    (folder / "run.json").write_text(text)
    with pytest.raises(SpecError) as caught:
        plan.load(folder / "run.json")
    for key, problem in zip(("content", "seeds"), caught.value.problems, strict=True):
        number = next(n for n, line in enumerate(lines, start=1) if f'"{key}":' in line)
        assert problem.where == f"{folder}/run.json:{number}"


@pytest.mark.parametrize("spec", [None, 3, [1]])
def test_a_record_without_a_spec(folder: Path, spec: Any) -> None:
    (folder / "run.json").write_text(json.dumps({"instyle": "0.1.0", "spec": spec}))
    with pytest.raises(SpecError, match="a spec should be keys with values"):
        plan.load(folder / "run.json")


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
        if "palette" not in path.name:  # needs a package that is not installed
            assert plan.load(path).spec.version == 1


# --- the schema -----------------------------------------------------------------------------------

INSTALLED = Registry.installed()
SCHEMA = spec_schema(INSTALLED)
VALIDATOR = Draft202012Validator(SCHEMA)

#: What has no default.
NEEDED: dict[str, dict[str, Any]] = {
    "mask": {"path": "photo.jpg"},
    "smp": {"weights": "photo.jpg"},
}


def test_the_schema_is_a_schema() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)
    references = set(re.findall(r'"\$ref": "#/\$defs/([^"]*)"', json.dumps(SCHEMA)))
    assert references <= SCHEMA["$defs"].keys()


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_specs_fit_the_schema(folder: Path, text: str) -> None:
    VALIDATOR.validate(yaml.load(text, Loader=_Numbers))
    VALIDATOR.validate(load(folder, text).dump())


class _Numbers(yaml.SafeLoader):
    """PyYAML takes 1e8 for a text."""


_Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[0-9.]+e-?[0-9]+$"), list("0123456789")
)


@pytest.mark.parametrize("entry", INSTALLED.entries(), ids=lambda entry: entry.plugin.name)
def test_every_plugin_can_be_used_by_schema_and_by_plan(folder: Path, entry: Entry) -> None:
    kind, name = entry.plugin.kind, entry.plugin.name
    full: dict[str, Any] = {"use": name, **NEEDED.get(name, {})}
    for use, fits in [
        (full, True),
        (name, name not in NEEDED),
        ({**full, "use": name + "-x"}, False),
        ({**full, "no-such-key": 1}, False),
        ({**full, "weight": 2}, kind == "loss" or "weight" in entry.plugin.params.model_fields),
        ({**full, "weight": -1}, False),
        (3, False),
        ({}, False),
        (name + "-x", False),
    ]:
        spec = yaml.safe_load(SPEC)
        spec |= {
            "segmenter": {"segmenter": use},
            "refiner": {"segmenter": {"use": "grabcut", "refine": use}},
            "extractor": {"extractors": {"mine": use}},
            "loss": {"losses": [use]},
            "ranker": {"style": {"choose_from": "paintings", "ranker": use}},
            "merger": {"merger": use},
        }[kind]
        assert VALIDATOR.is_valid(spec) == fits, use
        assert _is_valid(folder, spec) == fits, use


def _is_valid(folder: Path, spec: dict[str, Any]) -> bool:
    try:
        plan.make(Document.parse(json.dumps(spec), "a.json", folder), INSTALLED)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"version": 2}, False),
        ({"version": "1"}, False),
        ({"content": None}, False),
        ({"content": ["photo.jpg"]}, False),
        ({"sieze": 1}, False),
        ({"size": 32}, True),
        ({"size": 31}, False),
        ({"size": 64.5}, False),
        ({"size": "big"}, False),
        ({"margin": 0.5}, True),
        ({"margin": 2.5}, False),
        ({"seed": -1}, False),
        ({"max_megapixels": 0}, False),
        ({"precision": "half"}, False),
        ({"start": "noise"}, True),
        ({"start": "other.jpg"}, True),
        ({"start": 3}, False),
        ({"style": {"images": ["painting.jpg"], "weights": [1], "scale": 2}}, True),
        ({"style": {"images": []}}, False),
        ({"style": {"images": ["painting.jpg"], "scale": 11}}, False),
        ({"style": {"images": ["painting.jpg"], "weights": [0]}}, False),
        ({"style": ["painting.jpg"]}, False),
        ({"style": {"choose_from": "paintings"}}, True),
        ({"style": {"choose_from": "paintings", "ranker": "affinity", "scale": 2}}, True),
        ({"style": {"choose_from": "paintings", "images": ["painting.jpg"]}}, False),
        ({"style": {"choose_from": 3}}, False),
        ({"style": {"scale": 1}}, False),
        ({"optimizer": {}}, True),
        ({"optimizer": {"steps": 3}}, True),
        ({"optimizer": {"use": "adam", "weight_decay": 0.1}}, True),
        ({"optimizer": {"use": "lbfgs", "history": 3, "scales": 2}}, True),
        ({"optimizer": {"history": 3}}, False),
        ({"optimizer": {"use": "sgd"}}, False),
        ({"optimizer": {"steps": 0}}, False),
        ({"optimizer": {"scales": 0}}, False),
        ({"optimizer": {"scales": "many"}}, False),
        ({"losses": []}, False),
        ({"losses": ["content", {"use": "style", "weight": 0}]}, True),
        ({"losses": {"use": "content"}}, False),
        ({"losses": [{"use": "content", "layers": []}]}, False),
        ({"losses": [{"use": "hard"}]}, False),
        ({"extractors": {"mine": {"use": "vgg19", "pooling": "average"}}}, True),
        ({"extractors": {"mine": {"use": "vgg19", "pooling": "none"}}}, False),
        ({"extractors": ["vgg19"]}, False),
        ({"objects": []}, False),
        ({"objects": [{}]}, True),
        ({"objects": {}}, False),
        ({"objects": [{"select": {"class": "cat", "instance": "all"}}]}, True),
        ({"objects": [{"select": {"point": [1, 2], "box": [1, 2, 3, 4], "instance": 0}}]}, True),
        ({"objects": [{"select": {"instance": -1}}]}, False),
        ({"objects": [{"select": {"instance": "some"}}]}, False),
        ({"objects": [{"select": {"point": [1]}}]}, False),
        ({"objects": [{"select": {"box": [1, 2, 3]}}]}, False),
        ({"objects": [{"select": {"class_name": "cat"}}]}, False),
        ({"objects": [{"style": "other.jpg", "merger": "hard", "segmenter": "grabcut"}]}, True),
        ({"objects": [{"losses": [{"use": "content", "weight": -1}]}]}, False),
        ({"objects": [{"size": 64}]}, False),
    ],
)
def test_schema_and_plan_agree(folder: Path, change: dict[str, Any], fits: bool) -> None:
    spec = {**yaml.safe_load(SPEC), **change}
    assert _is_valid(folder, spec) == fits
    errors = [error.message for error in VALIDATOR.iter_errors(spec)]
    assert (not errors) == fits, errors


@pytest.mark.parametrize("key", ["version", "content", "output"])
def test_what_the_schema_requires(key: str) -> None:
    spec = yaml.safe_load(SPEC)
    del spec[key]
    (error,) = VALIDATOR.iter_errors(spec)
    assert f"'{key}' is a required property" in error.message


def test_the_schema_describes_every_key() -> None:
    for name, definition in {"the top": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, field in definition.get("properties", {}).items():
            assert field.get("description"), f"{name}: {key}"


def test_the_command_line_prints_the_schema(folder: Path) -> None:
    done = instyle("pipeline", "schema", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == SCHEMA


def test_a_loss_of_weight_zero_is_off(folder: Path) -> None:
    losses = "losses: [{use: tv, weight: 1}, {use: style, weight: 0}]\n"
    made = load(folder, SPEC + losses)
    assert made.whole is not None
    assert [use.plugin.name for use in made.whole.losses] == ["tv"]
    # So that its network and the network's weights are not called for either.
    assert made.extractors == {}
    assert made.pretrained == ()
    assert [loss["use"] for loss in made.dump()["losses"]] == ["tv", "style"]
